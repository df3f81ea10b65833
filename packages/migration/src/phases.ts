/** A move is in exactly one phase. Read this table before any code. */
import type { MovePhase } from "@godwit/contract";

export const transitions = {
  planned: ["preparing", "failing", "cancelling"],
  preparing: ["copying", "failing", "cancelling", "failed"],
  copying: ["switching", "failing", "cancelling", "failed"],
  switching: ["copying", "committed", "failing", "cancelling", "failed"], // a back-out returns to copying
  committed: ["succeeded", "failing", "failed"], // back only if the destination gave up, or both lost the VM
  cancelling: ["cancelled", "failed"],
  failing: ["committed", "failed"], // on after all, when a post-copy can no longer be taken back
  succeeded: [],
  cancelled: [],
  failed: [],
} as const satisfies Record<MovePhase, readonly MovePhase[]>;

export const isFinal = (phase: MovePhase): boolean => transitions[phase].length === 0;

export const mayFollow = (from: MovePhase, to: MovePhase): boolean =>
  (transitions[from] as readonly MovePhase[]).includes(to);
