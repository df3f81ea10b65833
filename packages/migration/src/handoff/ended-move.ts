/**
 * What the destination's host answers when a message comes for a move that is over there, or that it never knew. Used
 * by the reducer for moves that have just ended, and by the agent for those of which only a record is left.
 */
import { GodwitError, type MoveId, type Problem } from "@godwit/contract";
import type { DestinationOutcome } from "./destination-state.ts";
import type { ToDestination, ToSource } from "./messages.ts";

/**
 * What a move that has ended tells the source; null: nothing more needs to be said.
 * @param message what the source has said; null: its connection has just come up
 */
export function answerOfEnded(
  outcome: DestinationOutcome,
  message: ToDestination["type"] | null,
): ToSource | null {
  if (message !== null && asksNothing(message)) return null;
  switch (outcome.kind) {
    case "runs":
      return { type: "running", commitToResumeMs: 0 };
    case "gaveUp":
      return { type: "gaveUp", problem: outcome.problem };
    case "died":
      // A source that takes the VM back had not committed: nothing ran here.
      return { type: message === "abandon" ? "gaveUp" : "died", problem: outcome.problem };
  }
}

const asksNothing = (message: ToDestination["type"]): boolean =>
  message === "sourceCleanedUp" || message === "notUnderstood";

/** What a host knows of a move that it does not run. `refused`: it has said already that it never will. */
export type KnownMove =
  { kind: "ended"; outcome: DestinationOutcome } | { kind: "refused" } | { kind: "unknown" };

export type WithoutMove =
  /** The message begins the move here. */
  | { do: "begin" }
  /** `refuse`: from now on the move must not begin here any more, however late it is asked for. */
  | { do: "answer"; answer: ToSource | null; refuse: boolean };

/** Without a process of the VM nothing runs here, and nothing will. */
export function hearWithoutMove(
  known: KnownMove,
  moveId: MoveId,
  message: ToDestination["type"],
): WithoutMove {
  if (known.kind === "ended")
    return { do: "answer", answer: answerOfEnded(known.outcome, message), refuse: false };
  if (known.kind === "unknown" && message === "prepare") return { do: "begin" };
  if (asksNothing(message)) return { do: "answer", answer: null, refuse: false };
  return { do: "answer", answer: { type: "gaveUp", problem: unknownMove(moveId) }, refuse: true };
}

const unknownMove = (move: MoveId): Problem => GodwitError.of("MOVE_UNKNOWN", { move }).problem;
