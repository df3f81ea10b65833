/**
 * Leases outside of moves, reconciled again and again: what this host holds must match what runs here. It makes up for
 * every release or conversion that a crash or an absent lease service prevented.
 */
import type { LeaseMode, VmId } from "@godwit/contract";

export interface HeldLease {
  vmId: VmId;
  mode: LeaseMode;
}

/** A QEMU process of this host. */
export interface PresentVm {
  vmId: VmId;
  /** Whether its vCPUs run. */
  runs: boolean;
}

export interface LeaseAction {
  do: "release" | "convertToExclusive" | "acquireExclusive";
  vmId: VmId;
}

/**
 * @param held leases of this host
 * @param present VMs that have a QEMU process here, running or not
 * @param busy VMs with a move, a start or a stop under way here: their leases are not to be touched
 */
export function reconcileLeases(
  held: readonly HeldLease[],
  present: readonly PresentVm[],
  busy: ReadonlySet<VmId>,
): LeaseAction[] {
  const hasProcess = new Set(present.map(({ vmId }) => vmId));
  const isHeld = new Set(held.map(({ vmId }) => vmId));
  return [
    ...held.flatMap(({ vmId, mode }): LeaseAction[] => {
      // A shared lease is a past move's: another copy may still wait for it. Alone first, then released.
      if (mode === "SH") return [{ do: "convertToExclusive", vmId }];
      return hasProcess.has(vmId) ? [] : [{ do: "release", vmId }];
    }),
    // The lease of a VM that runs here was lost by who keeps it.
    ...present
      .filter(({ vmId, runs }) => runs && !isHeld.has(vmId))
      .map(({ vmId }): LeaseAction => ({ do: "acquireExclusive", vmId })),
  ].filter(({ vmId }) => !busy.has(vmId));
}
