/**
 * The guest at the source, as far as it is not the move that stops it: a move leaves a guest that stands still for a
 * reason of its own as it is, at whichever end. A guest that switches itself off ends its move, for nothing is left to
 * be moved.
 */
import type { PauseReason } from "@godwit/contract";
import { guestShutDown } from "./source-problems.ts";
import type { SourceEffect, SourceEntry, SourceState, SourceStep } from "./source-state.ts";
import { hasCommitted, settleUndo, stay, undo } from "./source-transitions.ts";

export const startedEntry = ({ order, pauseReason }: SourceState): SourceEntry => ({
  at: "started",
  order,
  ...(pauseReason === null ? {} : { pauseReason }),
});

export function onGuestPaused(state: SourceState, pauseReason: PauseReason): SourceStep {
  // What stands still here after the commit is an old copy.
  if (hasCommitted(state) || state.phase === "cleaningUp" || state.phase === "ended") return stay(state);
  const next: SourceState = {
    ...state,
    guestRuns: false,
    resuming: false,
    pauseReason,
    // A guest that ran here had its disks.
    standsHere: state.standsHere || (state.phase === "undoing" && state.guestRuns),
  };
  if (pauseReason !== "shutdown" || state.phase === "undoing") return stay(next, [written(pauseReason)]);
  const step = undo(next, guestShutDown(next));
  return { state: step.state, effects: [written(pauseReason), ...step.effects] };
}

/** QEMU's answer to `cont`: whatever had stopped the guest before, it runs now. */
export function onResumed(state: SourceState): SourceStep {
  const next: SourceState = {
    ...state,
    ...{ guestRuns: true, pauseReason: null, standsHere: false, resuming: false, pausedAtMs: null },
  };
  const step = state.phase === "undoing" ? settleUndo(next) : stay(next);
  return state.pauseReason === null ? step : { state: step.state, effects: [written(null), ...step.effects] };
}

export function onDisksActive(state: SourceState): SourceStep {
  if (state.phase !== "undoing" || state.pauseReason === null) return stay(state);
  return settleUndo({ ...state, standsHere: true });
}

const written = (pauseReason: PauseReason | null): SourceEffect => ({
  do: "journal",
  entry: { at: "guestPaused", pauseReason },
});
