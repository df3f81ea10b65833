/**
 * Takes a VM over from a host that is silent, without waiting until its lease runs out: by the persistent reservations of all LUNs with
 * disks of the VM, that host is kept from writing to them. Only then another lease counts: in which order, `fence-steps.ts` of storage
 * says. What the VM is, is read from its storage: the silent host may have changed it last.
 */
import { GodwitError, type Lease, type Vm } from "@godwit/contract";
import { fenceInOrder, readVm, type Datastore, type DiskLeases, type LeasedVm } from "@godwit/storage";
import { sleep } from "@godwit/system";
import { reasonOf } from "../reason.ts";
import type { Reservations } from "./reservations.ts";

export interface FenceParts {
  disks: Pick<DiskLeases, "silentLease" | "revoke" | "break" | "show">;
  reservations: Pick<Reservations, "mayTake" | "take">;
  /** @throws DATASTORE_UNKNOWN, DATASTORE_UNAVAILABLE */
  datastore: (name: string) => Promise<Datastore>;
  /** Names of this host's LUNs with reservations. */
  reserved: () => readonly string[];
  graceMs?: number;
}

/** In which the agent of a host that still runs finds that its key is gone, and ends its VMs. */
const usualGraceMs = 6000;

/**
 * @throws HOST_NOT_FENCED, LEASE_HOLDER_ALIVE, LEASE_HELD, DATASTORE_LEASES_UNAVAILABLE, DATASTORE_UNKNOWN, DATASTORE_UNAVAILABLE, SANLOCK_UNAVAILABLE
 */
export async function fenceVm(parts: FenceParts, vm: LeasedVm, host: string): Promise<Lease> {
  const { disks, reservations } = parts;
  const notFenced = (error: unknown): never => {
    throw GodwitError.of("HOST_NOT_FENCED", {
      vm: vm.name,
      host,
      reason: reasonOf(error).replace(/\.$/, ""),
    });
  };
  const revoked = await disks.silentLease(vm, host);
  const luns = await lunsOfStored(parts, vm).catch(notFenced);
  await fenceInOrder({
    prove: async () => {
      for (const lun of luns) await reservations.mayTake(lun, host).catch(notFenced);
    },
    revoke: () => disks.revoke(revoked, host).catch(notFenced),
    proveAgain: async () => {
      const { path } = await disks.silentLease(vm, host);
      if (path !== revoked.path) notFenced(new Error("another lease counts by now"));
    },
    takeKeys: async () => {
      // What was written of the VM before its lease was revoked counts.
      const now = await lunsOfStored(parts, vm).catch(notFenced);
      for (const lun of new Set([...luns, ...now])) await reservations.take(lun, host).catch(notFenced);
    },
    wait: () => sleep(parts.graceMs ?? usualGraceMs),
    succeed: async () => {
      await disks.break(vm, host, revoked);
    },
  });
  return await disks.show(vm);
}

/** @throws Error with the reason, the end of a sentence */
async function lunsOfStored({ datastore, reserved }: FenceParts, vm: LeasedVm): Promise<readonly string[]> {
  const stored = await readVm(await datastore(vm.datastore), vm.name);
  if (stored.id !== vm.id) throw new Error("in its folder is another VM");
  const found = lunsOf(stored, reserved());
  if ("problem" in found) throw new Error(found.problem);
  return found.luns;
}

/** The LUNs with a VM's disks, if all that its QEMU writes lies on LUNs with reservations; or why not, the end of a sentence. Pure. */
export function lunsOf(
  { disks, firmware, tpm }: Pick<Vm, "disks" | "firmware" | "tpm">,
  reserved: readonly string[],
): { luns: string[] } | { problem: string } {
  if (firmware !== undefined) return { problem: "its UEFI variables lie with its folder" };
  if (tpm === true) return { problem: "the state of its TPM lies with its folder" };
  if (disks.length === 0) return { problem: "it has no disks" };
  const elsewhere = disks.find(({ datastore }) => datastore === undefined || !reserved.includes(datastore));
  if (elsewhere !== undefined)
    return { problem: `its disk ${elsewhere.name} lies on no LUN with persistent reservations` };
  return { luns: [...new Set(disks.flatMap(({ datastore }) => datastore ?? []))].sort() };
}
