/**
 * Leases outside of moves, set right again and again: what this host holds must match what runs here.
 * It makes up for every release or conversion that a crash or an absent lease service prevented.
 */
import type { LeaseMode, VmId } from "@godwit/contract";

export interface HeldLease {
  vmId: VmId;
  mode: LeaseMode;
}

export type UpkeepAction = { do: "release"; vmId: VmId } | { do: "exclusive"; vmId: VmId };

/**
 * @param held leases of this host
 * @param present VMs that have a QEMU process here, running or not
 * @param busy VMs with a move, a start or a stop under way here: their leases are not upkeep's business
 */
export function leaseUpkeep(
  held: readonly HeldLease[],
  present: ReadonlySet<VmId>,
  busy: ReadonlySet<VmId>,
): UpkeepAction[] {
  return held
    .filter(({ vmId }) => !busy.has(vmId))
    .flatMap(({ vmId, mode }): UpkeepAction[] => {
      // A shared lease is a past move's: another copy may still wait for it. Alone first, then released.
      if (mode === "SH") return [{ do: "exclusive", vmId }];
      return present.has(vmId) ? [] : [{ do: "release", vmId }];
    });
}
