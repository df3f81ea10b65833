/**
 * Whether a host may bring a VM here. The order comes from the source's agent, so the destination believes none of it:
 * what the VM is stands in its folder on the datastore, and that the source runs it is said by the VM's lease. A host
 * that was taken over, or that has no part in the VM, can name neither another VM's disks nor a VM that it does not run.
 */
import { isDeepStrictEqual } from "node:util";
import { GodwitError, hostDeviceText, type Lease, type MoveOrder, type Vm } from "@godwit/contract";
import { readVm, type Datastore } from "@godwit/storage";

/** What reaches outside of the VM; the rest is QEMU's, and may be newer in the process than in the folder. */
const outward = ({ id, name, datastore, disks, boot, nics, cdroms }: Vm) => ({
  id,
  name,
  datastore,
  // Where a disk comes from is of no account here, and version 1 does not say it.
  disks: disks.map(({ name, datastore, path, format }) => ({ name, datastore, path, format })),
  boot,
  nics,
  cdroms,
});

/** @throws MOVE_ORDER_REFUSED when the VM's folder says otherwise, VM_DESCRIPTION_INVALID */
export async function checkOrder(datastore: Datastore, order: MoveOrder): Promise<void> {
  const { name } = order.vm;
  const stored = await readVm(datastore, name).catch((error: unknown) => {
    if (GodwitError.is(error, "VM_UNKNOWN"))
      throw refused(order, `datastore ${order.vm.datastore} has no VM ${name}`);
    throw error;
  });
  const [asked, found] = [outward(order.vm), outward(stored)];
  const wrong = (Object.keys(found) as (keyof typeof found)[]).filter(
    (part) => !isDeepStrictEqual(asked[part], found[part]),
  );
  if (wrong.length > 0)
    throw refused(order, `its ${wrong.join(", ")} differ from what vm.json on the datastore says`);
}

/** A running VM that has devices of its source does not come, so an order that names some is not one. @throws MOVE_ORDER_REFUSED */
export function checkDevices(order: MoveOrder): void {
  const [device] = order.vm.hostDevices ?? [];
  if (device === undefined) return;
  throw refused(order, `it has ${hostDeviceText(device)} of its host`);
}

/** @param lease as it is while both hosts share it. @throws MOVE_ORDER_REFUSED when it is not the source that has it */
export function checkSource(order: MoveOrder, { holders }: Pick<Lease, "holders">): void {
  if (holders.some(({ host }) => host === order.from)) return;
  const others = holders.map(({ host }) => host).filter((host) => host !== order.to.host);
  const who = others.length === 0 ? "no other host has" : `${others.join(" and ")}, not ${order.from}, has`;
  throw refused(order, `${who} its lease`);
}

function refused({ vm, from, to }: MoveOrder, reason: string): GodwitError {
  return GodwitError.of("MOVE_ORDER_REFUSED", { vm: vm.name, from, host: to.host, reason });
}
