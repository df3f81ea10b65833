/** Where a VM is, by what a host reports of it. */
import { hasProcess, type VmRuntime, type VmState, type VmView } from "@godwit/contract";

/** A host, and what state the VM is in there. */
interface Place {
  host: string;
  state: VmState;
}

/**
 * A process that runs, or stands still, is where the VM is. What ended here counts only while the VM is
 * still said to be here: it may have been started elsewhere since. @returns null when nothing follows
 */
export function placeByReport(
  vm: Pick<VmView, "id" | "host" | "state">,
  load: { name: string; vms: readonly VmRuntime[] },
): Place | null {
  const host = load.name;
  const runtime = load.vms.find(({ id }) => id === vm.id);
  if (runtime === undefined) {
    return vm.host === host && hasProcess(vm) ? { host, state: "lost" } : null;
  }
  if (runtime.state === "incoming" || (runtime.pid === null && vm.host !== host)) return null;
  return { host, state: runtime.state };
}
