/** A VM's lease for operators: who holds it, and breaking the lease of a host that is off. */
import { GodwitError, type serverOperations, type VmView } from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import { leaseParams, readVmLease, type SeenLease } from "../hosts/vm-lease.ts";
import { fenceHost } from "../fencing/fence-host.ts";
import type { Services } from "../services.ts";

type VmLeaseOperations = Pick<typeof serverOperations, "vmLeaseShow" | "vmLeaseBreak">;

export function vmLeaseHandlers(services: Services): Handlers<VmLeaseOperations> {
  const { store, hosts } = services;

  const show = async (vm: VmView): Promise<SeenLease> => await readVmLease(store, hosts, vm);

  const viewOf = (vm: VmView, { lease, seer }: SeenLease) => ({
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
      const removed = (await store.hosts.find(host)) === null;
      if (hosts.isUp(host)) throw GodwitError.of("LEASE_HOLDER_ALIVE", { vm: vm.name, host });
      if (body.by === "reservations") {
        await fenceHost(services, vm, host);
        return viewOf(vm, await show(vm));
      }
      if (seer === null) await store.leases.break(vm.id, host);
      else {
        await seer.agent
          .call("vmLeaseBreak", { params: leaseParams(vm), body: { host } })
          .catch((error: unknown) => {
            if (GodwitError.is(error, "LEASE_HOLDER_ALIVE")) {
              const details = { vm: vm.name, host, removed, silent: !removed };
              throw GodwitError.of("LEASE_HOLDER_ALIVE", details, { cause: error });
            }
            throw seer.unreachable(error);
          });
      }
      await store.vms.leaseBroken(vm.id, host);
      return viewOf(vm, await show(vm));
    },
  };
}
