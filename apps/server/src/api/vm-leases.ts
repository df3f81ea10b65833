/**
 * A VM's lease for operators: who holds it, and breaking the lease of a host that is off. On shared storage any
 * host that sees the storage is asked; of host-local datastores the leases are rows here.
 */
import { GodwitError, type Lease, type serverOperations, type VmView } from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import type { HostLink } from "../hosts/host-link.ts";
import type { Services } from "../services.ts";
import { withFreshness } from "./leases.ts";

type VmLeaseOperations = Pick<typeof serverOperations, "vmLeaseShow" | "vmLeaseBreak">;

export function vmLeaseHandlers(services: Services): Handlers<VmLeaseOperations> {
  const { store, hosts } = services;

  const show = async (vm: VmView): Promise<{ lease: Lease; seer: HostLink | null }> => {
    const seer = await seerOf(services, vm);
    const lease =
      seer === null
        ? withFreshness(hosts, await store.leases.show(vm.id))
        : await asked(seer, (link) => link.agent.call("vmLeaseShow", { params: placeOf(vm) }));
    return { lease, seer };
  };

  const viewOf = (vm: VmView, { lease, seer }: Awaited<ReturnType<typeof show>>) => ({
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
      else await asked(seer, (link) => link.agent.call("vmLeaseBreak", { params: placeOf(vm) }));
      await store.vms.leaseBroken(vm.id, host);
      return viewOf(vm, await show(vm));
    },
  };
}

const placeOf = ({ id, name, config }: VmView) => ({ vmId: id, name, datastore: config.datastore });

/** A host that sees the VM's shared datastore, its own first; null when the datastore is of one host only. */
async function seerOf({ store, hosts }: Services, vm: VmView): Promise<HostLink | null> {
  const { datastore } = vm.config;
  const sees = (await store.hosts.list()).filter(({ facts }) =>
    facts?.datastores.some(({ name, shared }) => name === datastore && shared),
  );
  if (sees.length === 0) return null;
  const up = sees.map(({ name }) => name).filter((name) => hosts.isUp(name));
  const chosen = up.includes(vm.host) ? vm.host : up[0];
  if (chosen !== undefined) return hosts.of(chosen);
  const [first] = sees;
  throw GodwitError.of("HOST_UNREACHABLE", {
    host: first?.name ?? vm.host,
    url: first?.agentUrl ?? "",
    reason: `no host that sees datastore ${datastore} is connected`,
  });
}

async function asked<T>(link: HostLink, question: (link: HostLink) => Promise<T>): Promise<T> {
  return await question(link).catch((error: unknown) => {
    throw link.unreachable(error);
  });
}
