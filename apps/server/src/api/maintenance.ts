/** Maintenance of a host, and bringing its VMs onto an upgraded QEMU. Entering is a task, after everything that can be refused was; leaving is done at once. */
import { GodwitError, type serverOperations, type Task } from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import { choiceFor, type Choices } from "@godwit/placement";
import { bringBack, stuckVms, vmsAway } from "../moves/bring-back.ts";
import { emptyingRequest } from "../moves/maintenance-choices.ts";
import { planMaintenance } from "../moves/plan-maintenance.ts";
import type { Services } from "../services.ts";
import { ableTo } from "./able-to.ts";
import { hostView } from "./hosts.ts";
import { startAgain } from "./start-again.ts";

type MaintenanceOperations = Pick<
  typeof serverOperations,
  | "hostMaintenanceEnter"
  | "hostMaintenancePlan"
  | "hostMaintenanceExit"
  | "hostAway"
  | "hostBringBack"
  | "hostRenewQemu"
>;

export function maintenanceHandlers(services: Services): Handlers<MaintenanceOperations> {
  const { store, hosts, tasks } = services;
  return {
    hostMaintenanceEnter: async ({ params, body }) => {
      const { name } = await store.hosts.show(params.host);
      const request = await emptyingRequest(services, name, body);
      await mustBeAbleToLeave(services, name, request);
      return await tasks.start({ kind: "host.enterMaintenance", request });
    },

    hostMaintenancePlan: async ({ params, body }) =>
      await planMaintenance(services, (await store.hosts.show(params.host)).name, body),

    hostMaintenanceExit: async ({ params, query }) => {
      const { name } = await store.hosts.show(params.host);
      await store.hosts.setMaintenance(name, "off", null);
      const outcome = query.start ? await startAgain(services, name) : { started: [], notStarted: [] };
      return { ...hostView(hosts, await store.hosts.show(name)), ...outcome };
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
        const step = await bringBack(services, vm, { to: name }, (task) => tasks.start(task));
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

/** Every VM that runs here could move somewhere, and all of them together fit; for others it was chosen what becomes of them. @throws MAINTENANCE_REFUSED with all findings, HOST_UNREACHABLE */
async function mustBeAbleToLeave(services: Services, host: string, choices: Choices): Promise<void> {
  if (
    choices.cannotMove === "suspend" ||
    choices.vms?.some(({ cannotMove }) => cannotMove === "suspend") === true
  )
    ableTo("suspend", await services.store.hosts.list(), host);
  const stuck = (await stuckVms(services, host)).filter((vm) => choiceFor(choices, vm) === null);
  if (stuck.length === 0) return;
  throw GodwitError.of(
    "MAINTENANCE_REFUSED",
    { host, vms: stuck.map(({ vm }) => vm) },
    { findings: stuck.flatMap(({ findings }) => findings) },
  );
}
