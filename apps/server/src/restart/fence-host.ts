/**
 * Has a living host keep a silent one from writing to a VM's disks, by the persistent reservations of their LUNs, so that the VM can start
 * elsewhere before its lease runs out. That host looks at everything itself, on the storage. Here it is seen to that no VM is ended
 * by that which its host still renews the lease of: a key is the host's, and not a VM's.
 */
import { GodwitError, isEnded, type Task, type VmView } from "@godwit/contract";
import type { Store } from "@godwit/store";
import { leaseParams, readVmLease, type Connections } from "../hosts/vm-lease.ts";

export interface FenceServices {
  store: Store;
  hosts: Connections;
}

/** Of a host whose LUN may be slow, with the time that it leaves the silent host to end its VMs. */
const fenceLimitMs = 45_000;
/** Of all hosts that are asked one after the other: then the lease runs out nearly as soon. */
const limitMs = 90_000;

/** LUNs with reservations that a VM's disks lie on; null: it has others, too. Pure. */
export function reservedLunsOf(
  { config }: Pick<VmView, "config">,
  reserved: ReadonlySet<string>,
): string[] | null {
  const luns = config.disks.map(({ datastore }) => datastore ?? config.datastore);
  const isWhole = luns.length > 0 && config.firmware === undefined && config.tpm !== true;
  return isWhole && luns.every((lun) => reserved.has(lun)) ? [...new Set(luns)] : null;
}

export async function reservedLuns(store: Store): Promise<Set<string>> {
  const rows = await store.datastores.list();
  return new Set(rows.flatMap(({ name, reservations }) => (reservations === true ? [name] : [])));
}

/** By host and LUNs: why the host must not be fenced there, the end of a sentence, as it was looked at once for several VMs; null: it may be. */
export type LivingLook = Map<string, Promise<string | null>>;

/**
 * @param host that holds the VM's lease, and does not answer the server
 * @throws HOST_NOT_FENCED, LEASE_HOLDER_ALIVE, LEASE_HELD, and what the connection throws
 */
export async function fenceHost(
  { store, hosts }: FenceServices,
  vm: VmView,
  host: string,
  living: LivingLook = new Map(),
): Promise<void> {
  const notFenced = (reason: string): GodwitError =>
    GodwitError.of("HOST_NOT_FENCED", { vm: vm.name, host, reason });
  const luns = reservedLunsOf(vm, await reservedLuns(store));
  if (luns === null) throw notFenced("not all that it writes lies on LUNs with persistent reservations");
  // One that the host is about to start has no volume yet that would keep the host from registering again.
  const tasks = (await store.tasks.unfinished()).filter((task) => !isEnded(task));
  if (tasks.some(({ subject }) => subject.id === vm.id)) throw notFenced("a task of the VM has not ended");
  const place = JSON.stringify([host, ...luns.toSorted()]);
  const look = living.get(place) ?? livingThere({ store, hosts }, host, luns, vmsOfTasksAt(host, tasks));
  living.set(place, look);
  const because = await look;
  if (because !== null) throw notFenced(because);
  let failure = notFenced(
    "no other host is connected that sees its datastore and is registered with its LUNs",
  );
  const latestMs = performance.now() + limitMs;
  for (const { name, load } of await store.hosts.list()) {
    if (name === host || !hosts.isUp(name)) continue;
    if (performance.now() > latestMs) break;
    const seen = (datastore: string) => load?.datastores.find((one) => one.name === datastore);
    const isRegistered = luns.every((lun) => seen(lun)?.reservations?.registered === true);
    if (!isRegistered || seen(vm.config.datastore)?.leases?.state !== "joined") continue;
    const link = hosts.of(name);
    try {
      const call = { params: leaseParams(vm), body: { host } };
      await link.agent.call("vmLeaseFence", call, { timeoutMs: fenceLimitMs });
    } catch (error) {
      const problem = GodwitError.is(error) ? error : link.unreachable(error);
      if (!GodwitError.is(problem)) throw problem;
      // Nothing that another host would see otherwise.
      if (problem.code === "LEASE_HOLDER_ALIVE" || problem.code === "LEASE_HELD") throw problem;
      failure = problem;
      continue;
    }
    await store.vms.leaseBroken(vm.id, host);
    return;
  }
  throw failure;
}

/** VMs of which a task has to do with a host: where they are is not known. Pure. */
export function vmsOfTasksAt(host: string, tasks: readonly Pick<Task, "subject" | "request">[]): Set<string> {
  const names = ({ request }: Pick<Task, "request">) => {
    const { host: at, from, to } = request as Partial<Record<"host" | "from" | "to", unknown>>;
    return [at, from, to];
  };
  return new Set(tasks.filter((task) => names(task).includes(host)).map(({ subject }) => subject.id));
}

async function livingThere(
  { store, hosts }: FenceServices,
  host: string,
  luns: readonly string[],
  busy: ReadonlySet<string>,
): Promise<string | null> {
  for (const vm of await store.vms.list()) {
    if (!vm.config.disks.some(({ datastore }) => datastore !== undefined && luns.includes(datastore)))
      continue;
    if (busy.has(vm.id)) return `a task of VM ${vm.name}, which has a disk there, has not ended`;
    if (vm.host !== host || vm.state === "stopped") continue;
    const { lease } = await readVmLease(store, hosts, vm, host);
    if (lease.holders.some((holder) => holder.host === host && holder.fresh))
      return `it renews the lease of VM ${vm.name}, which has a disk there`;
  }
  return null;
}
