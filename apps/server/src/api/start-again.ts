/** VMs that the maintenance of a host shut down or suspended are started again at its end, those that nobody has touched since. */
import { GodwitError, type StartedAgain } from "@godwit/contract";
import { isOffSince } from "@godwit/placement";
import type { Services } from "../services.ts";
import { startVm } from "./start-vm.ts";

/** One that cannot be started now stays remembered: the next time it is tried again. @throws DATABASE_UNAVAILABLE */
export async function startAgain(services: Services, host: string): Promise<StartedAgain> {
  const { store } = services;
  const outcome: StartedAgain = { started: [], notStarted: [] };
  const vms = await store.vms.list();
  for (const { vmId, task } of await store.maintenanceStops.of(host)) {
    const vm = vms.find(({ id }) => id === vmId);
    // Deleted just now.
    if (vm === undefined) continue;
    const [stopped, suspended, start] = await Promise.all([
      store.tasks.newest("vm.stop", vmId),
      store.tasks.newest("vm.suspend", vmId),
      store.tasks.newest("vm.start", vmId),
    ]);
    const stop = (suspended?.createdAt ?? "") > (stopped?.createdAt ?? "") ? suspended : stopped;
    try {
      if (isOffSince(vm, task, { stop, start })) {
        const { id } = await startVm(services, vm);
        outcome.started.push({ vm: vm.name, task: id });
      }
      await store.maintenanceStops.forget(vmId);
    } catch (error) {
      if (!GodwitError.is(error) || error.code === "DATABASE_UNAVAILABLE") throw error;
      outcome.notStarted.push({ vm: vm.name, reason: error.message });
    }
  }
  return outcome;
}
