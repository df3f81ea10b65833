/**
 * Keeps a silent host from writing to a VM's datastores, by the persistent reservations of LUNs and by fence programs, so that the VM can start
 * elsewhere before its lease runs out. A living host looks at everything on the storage, revokes the lease, takes the keys, and puts another lease in its
 * place; the server runs the programs in between. Here it is seen to that no VM is ended by that which its host still renews the lease of: a host is
 * fenced as a whole, and not for a VM.
 */
import {
  datastoresOf,
  GodwitError,
  isEnded,
  writtenDatastores,
  type DatastoreView,
  type Task,
  type VmView,
} from "@godwit/contract";
import type { HostRow, Store } from "@godwit/store";
import { leaseParams, readVmLease, type Connections } from "../hosts/vm-lease.ts";
import type { HostLink } from "../hosts/host-link.ts";
import type { HostAccess } from "./host-access.ts";

export interface FenceServices {
  store: Store;
  hosts: Connections;
  access: Pick<HostAccess, "revoke">;
  /** Aborted: what has not begun is left. */
  stopped?: AbortSignal;
}

/** Datastores at which hosts can be fenced, by what. */
export interface FencingWays {
  reserved: ReadonlySet<string>;
  programs: ReadonlySet<string>;
}

/** Of a host whose storage may be slow, with the time that it leaves the silent host to end its VMs. */
const fenceLimitMs = 45_000;
/** Of all hosts that are asked one after the other: then the lease runs out nearly as soon. */
const limitMs = 90_000;

/** Where a host is fenced for a VM; null: it writes to others, too. Pure. */
export function fencedAt(
  { config }: Pick<VmView, "config">,
  { reserved, programs }: FencingWays,
): { luns: string[]; programs: string[] } | null {
  const written = writtenDatastores(config);
  const isWhole = config.disks.length > 0 && written.every((one) => reserved.has(one) || programs.has(one));
  if (!isWhole) return null;
  return {
    luns: written.filter((one) => !programs.has(one)),
    programs: written.filter((one) => programs.has(one)),
  };
}

export async function fencingWays(store: Pick<Store, "datastores">): Promise<FencingWays> {
  const rows = await store.datastores.list();
  return {
    reserved: new Set(rows.flatMap(({ name, reservations }) => (reservations === true ? [name] : []))),
    programs: new Set(rows.flatMap(({ name, fenceProgram }) => (fenceProgram === undefined ? [] : [name]))),
  };
}

/**
 * Why a program cannot fence hosts at a datastore, the end of a sentence; null: it can. Pure.
 * @param abilities of a host's agent: one of an earlier version does not know that leases are revoked
 */
export function notByProgram(
  { source, shared, createdAt, hosts }: DatastoreView,
  abilities: (host: string) => readonly string[],
): string | null {
  if (createdAt === null) return "it is not defined in the inventory";
  if (!shared) return "it is each host's own storage";
  if (source.kind === "lun") return "it is a LUN, which has persistent reservations for that";
  const earlier = hosts.find(({ host }) => !abilities(host).includes("fencePrograms"));
  return earlier === undefined
    ? null
    : `the agent of host ${earlier.host} is of a version that does not know it, or has not reported yet`;
}

/** By host and datastores: why the host must not be fenced there, the end of a sentence, as it was looked at once for several VMs; null: it may be. */
export type LivingLook = Map<string, Promise<string | null>>;

/**
 * @param host that holds the VM's lease, and does not answer the server
 * @throws HOST_NOT_FENCED, LEASE_HOLDER_ALIVE, LEASE_HELD, and what the connection throws
 */
export async function fenceHost(
  services: FenceServices,
  vm: VmView,
  host: string,
  living: LivingLook = new Map(),
): Promise<void> {
  const { store, hosts } = services;
  const notFenced = (reason: string): GodwitError =>
    GodwitError.of("HOST_NOT_FENCED", { vm: vm.name, host, reason });
  const ways = await fencingWays(store);
  const at = fencedAt(vm, ways);
  if (at === null)
    throw notFenced(
      "not all that it writes lies on datastores with persistent reservations or a fence program",
    );
  const folder = (await store.datastores.list()).find(({ name }) => name === vm.config.datastore);
  if (folder?.shared === false)
    throw notFenced("its folder lies on storage of its host alone, and it can start nowhere else");
  const datastores = [...at.luns, ...at.programs];
  const silent = await store.hosts.find(host);
  if (at.programs.length > 0 && silent?.facts?.abilities?.includes("fencePrograms") !== true)
    throw notFenced("its own agent is of a version that would start VMs under a lease that was revoked");
  // One that the host is about to start has no volume yet that would keep the host from registering again.
  const tasks = (await store.tasks.unfinished()).filter((task) => !isEnded(task));
  if (tasks.some(({ subject }) => subject.id === vm.id)) throw notFenced("a task of the VM has not ended");
  const place = JSON.stringify([host, ...datastores.toSorted()]);
  const look = living.get(place) ?? livingThere(services, host, datastores, vmsOfTasksAt(host, tasks));
  living.set(place, look);
  const because = await look;
  if (because !== null) throw notFenced(because);
  let failure = notFenced(
    "no other host is connected that sees its datastores, has joined the leases of its folder's, and is registered with its LUNs",
  );
  const latestMs = performance.now() + limitMs;
  for (const helper of await store.hosts.list()) {
    if (helper.name === host || !hosts.isUp(helper.name) || !canHelp(helper, vm, at)) continue;
    if (performance.now() > latestMs || services.stopped?.aborted === true) break;
    const link = hosts.of(helper.name);
    const params = leaseParams(vm);
    const fenced =
      at.programs.length === 0 ? null : await answerOf(link, () => revokeLease(link, vm, host, ways));
    if (fenced instanceof GodwitError) {
      failure = fenced;
      continue;
    }
    if (fenced !== null) {
      // It may have been cut off from the server and its storage for a while only.
      const underWay = (await store.tasks.unfinished()).filter((task) => !isEnded(task));
      const reason = await livingThere(services, host, datastores, vmsOfTasksAt(host, underWay));
      if (reason !== null) throw notFenced(reason);
      await takeAccess(services, { vm, host, datastores }, fenced.datastores);
    }
    const body = { host, ...(fenced === null ? {} : { revoked: fenced }) };
    const answer = await answerOf(link, () =>
      link.agent.call("vmLeaseFence", { params, body }, { timeoutMs: fenceLimitMs }),
    );
    if (answer instanceof GodwitError) {
      failure = answer;
      continue;
    }
    await store.vms.leaseBroken(vm.id, host);
    return;
  }
  throw failure;
}

/** @returns what it failed with, where another host might not. @throws what none would see otherwise */
async function answerOf<T>(link: HostLink, ask: () => Promise<T>): Promise<T | GodwitError> {
  try {
    return await ask();
  } catch (error) {
    const problem = link.unreachable(error);
    if (!GodwitError.is(problem) || problem.code === "LEASE_HOLDER_ALIVE" || problem.code === "LEASE_HELD")
      throw problem;
    return problem;
  }
}

const revokeLease = async (link: HostLink, vm: VmView, host: string, { programs }: FencingWays) =>
  await link.agent.call(
    "vmLeaseRevoke",
    { params: leaseParams(vm), body: { host, programs: [...programs] } },
    { timeoutMs: fenceLimitMs },
  );

/** @param needed where the VM's QEMU writes, as its storage has it. @throws HOST_NOT_FENCED */
async function takeAccess(
  { store, hosts, access, stopped }: FenceServices,
  { vm, host, datastores }: { vm: VmView; host: string; datastores: readonly string[] },
  needed: readonly string[],
): Promise<void> {
  const notFenced = (reason: string): GodwitError =>
    GodwitError.of("HOST_NOT_FENCED", { vm: vm.name, host, reason });
  const unlooked = needed.find((one) => !datastores.includes(one));
  if (unlooked !== undefined)
    throw notFenced(
      `by its folder it writes to datastore ${unlooked}, too, which the server did not know of`,
    );
  const known = await store.hosts.find(host);
  if (known === null) throw notFenced("the host is none of the cluster any more");
  if (hosts.isUp(host)) throw notFenced("the host answers again");
  if (stopped?.aborted === true) throw notFenced("the server is being stopped");
  const bootId = hosts.of(host).isBootKnown ? (known.facts?.bootId ?? null) : null;
  const ends = await Promise.allSettled(needed.map((one) => access.revoke(one, host, bootId)));
  for (const end of ends)
    if (end.status === "rejected") {
      const error: unknown = end.reason;
      if (GodwitError.is(error, "DATABASE_UNAVAILABLE")) throw error;
      throw notFenced((error as Error).message.replace(/\.$/, ""));
    }
}

/** Pure. */
function canHelp(
  { facts, load }: Pick<HostRow, "facts" | "load">,
  { config }: Pick<VmView, "config">,
  at: { luns: readonly string[]; programs: readonly string[] },
): boolean {
  const seen = (datastore: string) => load?.datastores.find((one) => one.name === datastore);
  const folder = seen(config.datastore);
  const isRegistered = at.luns.every((lun) => seen(lun)?.reservations?.registered === true);
  const isAble = at.programs.length === 0 || facts?.abilities?.includes("fencePrograms") === true;
  return isRegistered && isAble && folder?.leases?.state === "joined" && folder.reason === null;
}

/** VMs of which a task has to do with a host: where they are is not known. Pure. */
export function vmsOfTasksAt(host: string, tasks: readonly Pick<Task, "subject" | "request">[]): Set<string> {
  const names = ({ request }: Pick<Task, "request">) => {
    const { host: at, from, to } = request as Partial<Record<"host" | "from" | "to", unknown>>;
    return [at, from, to];
  };
  return new Set(tasks.filter((task) => names(task).includes(host)).map(({ subject }) => subject.id));
}

/** Whether a VM has something on one of them: its folder, a disk, a medium. Pure. */
export const uses = ({ config }: Pick<VmView, "config">, datastores: readonly string[]): boolean =>
  [...datastoresOf(config), ...(config.cdroms ?? []).flatMap(({ medium }) => medium?.datastore ?? [])].some(
    (one) => datastores.includes(one),
  );

async function livingThere(
  { store, hosts }: FenceServices,
  host: string,
  datastores: readonly string[],
  busy: ReadonlySet<string>,
): Promise<string | null> {
  for (const vm of await store.vms.list()) {
    if (!uses(vm, datastores)) continue;
    if (busy.has(vm.id)) return `a task of VM ${vm.name}, which has something there, has not ended`;
    if (vm.host !== host || vm.state === "stopped") continue;
    const { lease } = await readVmLease(store, hosts, vm, host);
    if (lease.holders.some((holder) => holder.host === host && holder.fresh))
      return `it renews the lease of VM ${vm.name}, which has something there`;
  }
  return null;
}
