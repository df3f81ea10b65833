/** What a VM's state says of its process. Apart from the schemas, for commands that start quickly. */
import type { VmSummary, VmView } from "./schemas/vm-view.ts";

/** Whether the VM has a process, as far as is known: it would move live. */
export const hasProcess = (vm: Pick<VmView, "state">): boolean =>
  vm.state !== "stopped" && vm.state !== "lost";

/** Whether its state is only what its host told before it fell silent: its process may have ended since, unseen. */
export const isStateUnknown = (vm: Pick<VmSummary, "state" | "hostState">): boolean =>
  vm.hostState === "unreachable" && hasProcess(vm);
