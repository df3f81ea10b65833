/** Maintenance of a host, and bringing its VMs onto an upgraded QEMU. Entering is a task, after everything that can be refused was; leaving is done at once. */
import { hasProcess, GodwitError, type serverOperations, type Task, type VmView } from "@godwit/contract";
import { awayFrom } from "@godwit/placement";
import type { Handlers } from "@godwit/http";
import { checkVm } from "../moves/check-vm.ts";
import { decideMoves } from "../moves/evacuate.ts";
import { moveRequest } from "../moves/move-request.ts";
import { ruleFindings } from "../pools/check-rules.ts";
import type { Services } from "../services.ts";
import { hostView } from "./hosts.ts";

type MaintenanceOperations = Pick<
  typeof serverOperations,
  "hostMaintenanceEnter" | "hostMaintenanceExit" | "hostAway" | "hostBringBack" | "hostRenewQemu"
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

    hostAway: async ({ params }) => {
      const { name } = await store.hosts.show(params.host);
      return { vms: (await vmsAway(services, name)).map((vm) => ({ vm: vm.name, host: vm.host })) };
    },

    hostBringBack: async ({ params }) => {
      const { name, maintenance } = await store.hosts.show(params.host);
      if (maintenance !== "off") throw GodwitError.of("DESTINATION_IN_MAINTENANCE", { host: name });
      const outcome = { tasks: [] as Task[], left: [] as { vm: string; reason: string }[] };
      for (const vm of await vmsAway(services, name)) {
        const step = await bringBack(services, vm, name);
        if ("reason" in step) outcome.left.push({ vm: vm.name, reason: step.reason });
        else outcome.tasks.push(step);
      }
      return outcome;
    },

    hostRenewQemu: async ({ params, body }) => {
      const { name } = await store.hosts.show(params.host);
      return await tasks.start({ kind: "host.renewQemu", request: { host: name, ...body } });
    },
  };
}

async function vmsAway({ store }: Services, host: string): Promise<VmView[]> {
  const last = await store.tasks.newest("host.enterMaintenance", host);
  if (last === null) return [];
  return awayFrom(await store.tasks.childrenOf(last.id), await store.vms.list());
}

/** One that may not move back, or is busy, stays where it is. @throws HOST_UNREACHABLE, DATABASE_UNAVAILABLE */
async function bringBack(services: Services, vm: VmView, to: string): Promise<Task | { reason: string }> {
  try {
    const { findings, runtime, postcopyRecovers } = await checkVm(services, vm, to);
    const all = [...findings, ...(await ruleFindings(services, vm, to))];
    const [first] = all.filter(({ severity }) => severity === "error");
    if (first !== undefined) return { reason: first.message };
    return await services.tasks.start(moveRequest(vm, runtime, to, {}, postcopyRecovers));
  } catch (error) {
    if (!GodwitError.is(error) || error.code === "DATABASE_UNAVAILABLE") throw error;
    return { reason: error.message };
  }
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
