/** Where a VM is, by what a host reports of it. Which host reports is known by its connection, never by the report. */
import {
  hasProcess,
  type Lease,
  type PauseReason,
  type VmRuntime,
  type VmState,
  type VmView,
} from "@godwit/contract";

/** A host, and what state the VM is in there. */
interface Place {
  host: string;
  state: VmState;
  /** Of one that stands still. */
  pauseReason?: PauseReason | null;
}

/**
 * A process that runs, or stands still, is where the VM is. What ended here counts only while the VM is
 * still said to be here: it may have been started elsewhere since. A place on another host than before is only what
 * this one claims, until the VM's lease confirms it. @returns null when nothing follows
 */
export function placeByReport(
  vm: Pick<VmView, "id" | "host" | "state">,
  host: string,
  vms: readonly VmRuntime[],
): Place | null {
  const runtime = vms.find(({ id }) => id === vm.id);
  if (runtime === undefined) {
    return vm.host === host && hasProcess(vm) ? { host, state: "lost" } : null;
  }
  if (runtime.state === "incoming" || (runtime.pid === null && vm.host !== host)) return null;
  const { state, pauseReason } = runtime;
  return { host, state, ...(state === "paused" && pauseReason != null ? { pauseReason } : {}) };
}

/** Whether a VM's lease confirms that a host runs it: nothing runs without it. */
export const isConfirmed = (host: string, { holders }: Pick<Lease, "holders">): boolean =>
  holders.some((holder) => holder.host === host);
