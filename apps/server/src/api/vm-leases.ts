/**
 * A VM's lease for operators: who holds it, and breaking the lease of a host that is off. On shared storage any
 * host that sees the storage is asked; of host-local datastores the leases are rows here.
 */
import { GodwitError, type Lease, type serverOperations, type VmView } from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import type { HostLink } from "../hosts/host-link.ts";
import type { Services } from "../services.ts";
import { withFreshness } from "./leases.ts";

interface Seen {
  lease: Lease;
  /** The host that was asked; null: this server. */
  seer: HostLink | null;
}

type VmLeaseOperations = Pick<typeof serverOperations, "vmLeaseShow" | "vmLeaseBreak">;

export function vmLeaseHandlers(services: Services): Handlers<VmLeaseOperations> {
  const { store, hosts } = services;

  const show = async (vm: VmView): Promise<Seen> => {
    const seers = await seersOf(services, vm);
    if (seers === null) return { lease: withFreshness(hosts, await store.leases.show(vm.id)), seer: null };
    let failure: unknown;
    for (const seer of seers) {
      try {
        return { lease: await seer.agent.call("vmLeaseShow", { params: placeOf(vm) }), seer };
      } catch (error) {
        failure = seer.unreachable(error);
      }
    }
    throw failure;
  };

  const viewOf = (vm: VmView, { lease, seer }: Seen) => ({
    ...lease,
    vm: vm.name,
    kept: seer === null ? ("database" as const) : ("storage" as const),
    seenFrom: seer?.name ?? null,
  });

  return {
    vmLeaseShow: async ({ params }) => {
      const vm = await store.vms.show(params.vm);
      return viewOf(vm, await show(vm));
    },

    vmLeaseBreak: async ({ params, body }) => {
      const vm = await store.vms.show(params.vm);
      const { host } = body;
      const { lease, seer } = await show(vm);
      const holders = lease.holders.map((holder) => holder.host);
      if (!holders.includes(host)) throw GodwitError.of("LEASE_NOT_OF_HOST", { vm: vm.name, host, holders });
      if (hosts.isUp(host)) throw GodwitError.of("LEASE_HOLDER_ALIVE", { vm: vm.name, host });
      if (seer === null) await store.leases.break(vm.id, host);
      else {
        await seer.agent
          .call("vmLeaseBreak", { params: placeOf(vm), body: { host } })
          .catch((error: unknown) => {
            throw seer.unreachable(error);
          });
      }
      await store.vms.leaseBroken(vm.id, host);
      return viewOf(vm, await show(vm));
    },
  };
}

const placeOf = ({ id, name, config }: VmView) => ({ vmId: id, name, datastore: config.datastore });

/**
 * Connected hosts that see the VM's shared datastore, those that have joined its leases first; null when the
 * datastore is of one host only. @throws HOST_UNREACHABLE when none of them is connected
 */
async function seersOf({ store, hosts }: Services, vm: VmView): Promise<HostLink[] | null> {
  const { datastore } = vm.config;
  const seers = (await store.hosts.list()).flatMap((host) => {
    const seesIt = host.facts?.datastores.some(({ name, shared }) => name === datastore && shared) === true;
    const load = host.load?.datastores.find(({ name }) => name === datastore);
    return seesIt ? [{ ...host, isJoined: load?.leases?.state === "joined" }] : [];
  });
  const [first] = seers;
  if (first === undefined) return null;
  const up = seers
    .filter(({ name }) => hosts.isUp(name))
    .sort((a, b) => Number(b.isJoined) - Number(a.isJoined));
  if (up.length > 0) return up.map(({ name }) => hosts.of(name));
  const reason = `no host that sees datastore ${datastore} is connected`;
  throw GodwitError.of("HOST_UNREACHABLE", { host: first.name, url: first.agentUrl, reason });
}
