/**
 * A VM's lease as this server can see it. On shared storage any connected host that sees the storage is asked; of
 * host-local datastores the leases are rows of this server.
 */
import { GodwitError, type Lease, type VmView } from "@godwit/contract";
import type { Store, StoredLease } from "@godwit/store";
import type { HostLink } from "./host-link.ts";

export interface SeenLease {
  lease: Lease;
  /** The host that was asked; null: this server. */
  seer: HostLink | null;
}

/** The server's connections to its hosts. */
export interface Connections {
  isUp(host: string): boolean;
  of(host: string): HostLink;
}

/**
 * @param except a host that is not to be asked, for what it claims is in question
 * @throws HOST_UNREACHABLE when no host that sees the VM's storage is connected, and what the host that was asked throws
 */
export async function readVmLease(
  store: Store,
  hosts: Connections,
  vm: VmView,
  except: string | null = null,
): Promise<SeenLease> {
  const seers = await seersOf(store, hosts, vm, except);
  if (seers === null) return { lease: withFreshness(hosts, await store.leases.show(vm.id)), seer: null };
  let failure: unknown;
  for (const seer of seers) {
    try {
      return { lease: await seer.agent.call("vmLeaseShow", { params: leaseParams(vm) }), seer };
    } catch (error) {
      failure = seer.unreachable(error);
    }
  }
  throw failure;
}

/** A stored lease with what this server knows of its holders. */
export const withFreshness = (hosts: Pick<Connections, "isUp">, lease: StoredLease): Lease => ({
  ...lease,
  holders: lease.holders.map((holder) => ({ ...holder, fresh: hosts.isUp(holder.host) })),
});

export const leaseParams = ({ id, name, config }: VmView) => ({
  vmId: id,
  name,
  datastore: config.datastore,
});

/**
 * Connected hosts that see the VM's shared datastore: the one that it is said to be on first, then those that have
 * joined its leases; null when the datastore is of one host only. @throws HOST_UNREACHABLE when none is connected
 */
async function seersOf(
  store: Store,
  hosts: Connections,
  vm: VmView,
  except: string | null,
): Promise<HostLink[] | null> {
  const { datastore } = vm.config;
  const seers = (await store.hosts.list()).flatMap((host) => {
    const seesIt = host.facts?.datastores.some(({ name, shared }) => name === datastore && shared) === true;
    const load = host.load?.datastores.find(({ name }) => name === datastore);
    const rank = host.name === vm.host ? 2 : Number(load?.leases?.state === "joined");
    return seesIt ? [{ ...host, rank }] : [];
  });
  const [first] = seers;
  if (first === undefined) return null;
  const up = seers.filter(({ name }) => name !== except && hosts.isUp(name)).sort((a, b) => b.rank - a.rank);
  if (up.length > 0) return up.map(({ name }) => hosts.of(name));
  const reason = `no ${except === null ? "" : "other "}host that sees datastore ${datastore} is connected`;
  throw GodwitError.of("HOST_UNREACHABLE", { host: first.name, url: first.agentUrl, reason });
}
