/** Maintenance of a host, and bringing its VMs onto an upgraded QEMU. Entering is a task, after everything that can be refused was; leaving is done at once. */
import { hasProcess, GodwitError, type serverOperations } from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import { decideMoves } from "../moves/evacuate.ts";
import type { Services } from "../services.ts";
import { hostView } from "./hosts.ts";

type MaintenanceOperations = Pick<
  typeof serverOperations,
  "hostMaintenanceEnter" | "hostMaintenanceExit" | "hostRenewQemu"
>;

export function maintenanceHandlers(services: Services): Handlers<MaintenanceOperations> {
  const { store, hosts, tasks } = services;
  return {
    hostMaintenanceEnter: async ({ params, body }) => {
      const { name } = await store.hosts.show(params.host);
      await mustBeAbleToLeave(services, name);
      return await tasks.start({ kind: "host.enterMaintenance", request: { host: name, ...body } });
    },

    hostMaintenanceExit: async ({ params }) => {
      const { name } = await store.hosts.show(params.host);
      await store.hosts.setMaintenance(name, "off", null);
      return hostView(hosts, await store.hosts.show(name));
    },

    hostRenewQemu: async ({ params, body }) => {
      const { name } = await store.hosts.show(params.host);
      return await tasks.start({ kind: "host.renewQemu", request: { host: name, ...body } });
    },
  };
}

/**
 * Every VM that runs here could move somewhere, and all of them together fit. One with a task of its own is
 * left to the emptying, which waits for it.
 * @throws MAINTENANCE_REFUSED with all findings, HOST_UNREACHABLE
 */
async function mustBeAbleToLeave({ store, hosts }: Services, host: string): Promise<void> {
  const busy = new Set((await store.tasks.unfinished()).map(({ subject }) => subject.id));
  const movers = (await store.vms.list())
    .filter((vm) => vm.host === host && hasProcess(vm) && !busy.has(vm.id))
    .map((vm) => ({ vm, live: true, failedAt: [] }));
  const limits = { free: Infinity, perTarget: Infinity };
  const { stuck } = await decideMoves({ store, hosts }, host, movers, limits);
  if (stuck.length === 0) return;
  throw GodwitError.of(
    "MAINTENANCE_REFUSED",
    { host, vms: stuck.map(({ mover }) => mover.vm.name) },
    { findings: stuck.flatMap(({ findings }) => findings) },
  );
}
