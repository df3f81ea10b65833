/**
 * The transitions that a move makes at its source: it commits, cleans up, is undone, is lost. Each is a phase with
 * what is done on the way into it; when each is right, {@link stepSource} decides.
 */
import type { Problem } from "@godwit/contract";
import type { CopyState } from "../copy.ts";
import { chooseStrategy, copyLimits } from "../strategies/choose.ts";
import type { Strategy } from "../strategies/strategy.ts";
import type { ToDestination } from "./messages.ts";
import { enterSourcePhase, type SourcePhase } from "./phases.ts";
import { guestShutDown, vmLost } from "./source-problems.ts";
import {
  sourceLimits,
  type SourceEffect,
  type SourceEntry,
  type SourceOutcome,
  type SourceState,
  type SourceStep,
} from "./source-state.ts";

/** Whether the disks move with the VM. */
export const movesDisks = ({ order }: SourceState): boolean => order.storage !== undefined;

export const strategyOf = ({ order, qemuVersion }: SourceState): Strategy =>
  chooseStrategy(order, qemuVersion);

/** The copy of its strategy, from now on. */
export const beginFor = (state: SourceState, atMs: number): CopyState =>
  strategyOf(state).begin(state.order.maxOutageMs, atMs, copyLimits(state.order, state.qemuVersion));

/** The destination may run, or does. */
export const hasCommitted = ({ phase }: SourceState): boolean =>
  phase === "committed" || phase === "postcopySending";

/** The VM stays here, and the destination has not said yet that it has nothing of it. */
export const staysHere = ({ phase, outcome, destinationGaveUp, memorySplit }: SourceState): boolean =>
  !destinationGaveUp &&
  !memorySplit &&
  (phase === "undoing" || (phase === "ended" && outcome?.kind === "stayed"));

export function commit(state: SourceState): SourceStep {
  return to({ ...state, guestRuns: false }, "committed", [
    sayCommit(state),
    { do: "disarm", timer: "budget" },
    { do: "disarm", timer: "switch" },
    { do: "arm", timer: "commit", afterMs: sourceLimits.commitRepeatMs },
    ...(state.memorySplit && state.streamBroken ? recover : []),
  ]);
}

/** A destination without all its memory has nothing to go on with when this QEMU is gone. */
export const sayCommit = (state: SourceState): SourceEffect => ({ do: "send", message: commitOf(state) });

function commitOf({ commitForbidden, memorySplit, qemuAlive, pauseReason }: SourceState): ToDestination {
  if (commitForbidden || (memorySplit && !qemuAlive)) return { type: "sourceQemuLost" };
  return { type: "commit", ...(pauseReason === null ? {} : { pauseReason }) };
}

/** A broken stream is asked for again and again. */
export const recover: readonly SourceEffect[] = [
  { do: "send", message: { type: "recover" } },
  { do: "arm", timer: "retry", afterMs: sourceLimits.recoverMs },
];

/**
 * The destination runs, or ran: this copy is out of date. The lease is released last.
 * @param keepsDisks where the destination's images are surely not to be had any more
 */
export function cleanUp(state: SourceState, died: Problem | null, keepsDisks = false): SourceStep {
  const entry: SourceEntry = { at: "cleaningUp", died, ...(keepsDisks ? { keepsDisks } : {}) };
  return to({ ...state, problem: died, keepsDisks }, "cleaningUp", [
    { do: "disarm", timer: "commit" },
    { do: "disarm", timer: "retry" },
    { do: "journal", entry },
    { do: "remove" },
  ]);
}

/** Its QEMU is gone. The lease goes last, so that the VM is never free to be started from two places. */
export function removedHere(state: SourceState): SourceStep {
  const next = { ...state, qemuAlive: false };
  const leaves = movesDisks(state) && !state.keepsDisks && !state.disksRemoved;
  return stay(next, [{ do: leaves ? "removeDisks" : "releaseLease" }]);
}

export function cleanedUp(state: SourceState): SourceStep {
  const outcome: SourceOutcome =
    state.problem === null ? { kind: "moved" } : { kind: "lost", problem: state.problem };
  const step = finish(state, outcome);
  return {
    state: step.state,
    effects: [{ do: "send", message: { type: "sourceCleanedUp" } }, ...step.effects],
  };
}

/** The VM stays here. Never called after `commit` unless the destination is known not to run. */
export function undo(state: SourceState, problem: Problem): SourceStep {
  const effects: SourceEffect[] = [
    ...disarmed(),
    { do: "cancelCopy" },
    { do: "journal", entry: { at: "undoing", problem } },
    // In a post-copy the destination's end would break the stream, and then nothing can be cancelled any more.
    ...(state.destinationGaveUp || state.memorySplit
      ? []
      : [{ do: "send", message: { type: "abandon" } } as const]),
    { do: "arm", timer: "undo", afterMs: sourceLimits.undoMs },
  ];
  return to({ ...state, problem }, "undoing", effects);
}

/** The copy is no more, so the destination may end its half, and the guest goes on here as it was. */
export function copyIsOver(state: SourceState): SourceStep {
  const resumed = resumeHere({ ...state, memorySplit: false });
  if (!state.memorySplit || state.destinationGaveUp) return resumed;
  return { ...resumed, effects: [{ do: "send", message: { type: "abandon" } }, ...resumed.effects] };
}

/** A guest that stands still on its own account is not let run. */
export function resumeHere(state: SourceState): SourceStep {
  if (!state.qemuAlive) return stay(state);
  return stay(state, [{ do: state.pauseReason === null ? "resumeVcpus" : "activateDisks" }]);
}

/** Whether the guest is here as it was before the move. */
export const isBack = ({ guestRuns, standsHere }: SourceState): boolean => guestRuns || standsHere;

/** An undone move is over when the guest is back and the destination is known to have nothing any more. */
export function settleUndo(state: SourceState): SourceStep {
  if (!state.qemuAlive)
    return state.destinationGaveUp ? lostForGood(state) : stay(state, [{ do: "exclusiveLease" }]);
  if (!isBack(state)) return stay(state);
  if (state.destinationGaveUp) return settled(state);
  return stay(state, [{ do: "exclusiveLease" }]);
}

export function settled(state: SourceState): SourceStep {
  if (state.problem === null) throw new TypeError("an undone move has a reason");
  const step = finish(state, { kind: "stayed", problem: state.problem });
  return {
    state: step.state,
    effects: [{ do: "disarm", timer: "undo" }, { do: "exclusiveLease" }, ...step.effects],
  };
}

/**
 * This QEMU is gone. The move is over when the destination has nothing either: until then its copy, which
 * may be out of date, waits for this host's lease. Never after a commit, unless the destination is gone.
 */
export function lose(state: SourceState, reason: string): SourceStep {
  const why =
    state.pauseReason === "shutdown" ? guestShutDown(state) : vmLost(state, state.order.from, reason);
  // A process that was ended because it could not go on was lost before.
  const wasLostHere =
    state.problem?.code === "MOVE_VM_LOST" && state.problem.details.host === state.order.from;
  const problem = wasLostHere ? state.problem : why;
  const lost: SourceState = {
    ...state,
    ...{ qemuAlive: false, guestRuns: false, standsHere: false, memorySplit: false, problem },
  };
  if (state.destinationGaveUp || state.phase === "sharingLease") {
    const step = lostForGood(lost);
    return { state: step.state, effects: [{ do: "remove" }, ...step.effects] };
  }
  return to(lost, "undoing", [
    ...disarmed(),
    { do: "remove" },
    { do: "journal", entry: { at: "undoing", problem } },
    { do: "send", message: { type: "abandon" } },
    { do: "exclusiveLease" },
    { do: "arm", timer: "undo", afterMs: sourceLimits.undoMs },
  ]);
}

function lostForGood(state: SourceState): SourceStep {
  if (state.problem === null) throw new TypeError("a VM that is lost has a reason");
  const step = finish(state, { kind: "lost", problem: state.problem });
  return {
    state: step.state,
    effects: [
      { do: "disarm", timer: "undo" },
      { do: "disarm", timer: "retry" },
      ...step.effects,
      // Last: a move that is written down as ended asks for no lease again. Reconciliation makes up for a missed release.
      { do: "releaseLease" },
    ],
  };
}

/** None of the timers of a move that goes on. */
const disarmed = (): SourceEffect[] =>
  (["prepare", "peer", "budget", "switch", "commit"] as const).map((timer) => ({ do: "disarm", timer }));

/** However long it takes: a destination that did not respond may still have an incoming QEMU. */
export const repeatAbandon: SourceEffect = { do: "arm", timer: "retry", afterMs: sourceLimits.undoMs };

function finish(state: SourceState, outcome: SourceOutcome): SourceStep {
  // A destination that has not received that the VM stays is notified when the connection is back.
  const heard = outcome.kind !== "stayed" || state.destinationGaveUp;
  return to({ ...state, outcome }, "ended", [
    { do: "journal", entry: { at: "ended", outcome } },
    { do: "finish", outcome },
    heard ? { do: "close" } : repeatAbandon,
  ]);
}

/** @throws UnlistedTransition */
export function to(state: SourceState, phase: SourcePhase, effects: readonly SourceEffect[]): SourceStep {
  return { state: enterSourcePhase(state, phase), effects };
}

export function stay(state: SourceState, effects: readonly SourceEffect[] = []): SourceStep {
  return { state, effects };
}
