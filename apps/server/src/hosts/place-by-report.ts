/** What a host's report says of where a VM is. Pure. */
import type { VmRuntime, VmView } from "@godwit/contract";
import type { Place } from "@godwit/store";

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
    const wasUp = vm.state !== "stopped" && vm.state !== "lost";
    return vm.host === host && wasUp ? { host, state: "lost" } : null;
  }
  if (runtime.state === "incoming" || (runtime.pid === null && vm.host !== host)) return null;
  return { host, state: runtime.state };
}
