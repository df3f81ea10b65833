/**
 * The switch at the source: when the strategy decides it the guest is stopped, QEMU is let finish only with the
 * destination connected and a copy that can be trusted, and a switch that takes too long is backed out.
 */
import { backedOut, isTrusted, type CopySample } from "../copy.ts";
import type { CopyDecision } from "../strategies/strategy.ts";
import { watchStream } from "./source-postcopy.ts";
import { copyFailed, copyUnsafe, notConverging, peerAway } from "./source-problems.ts";
import { sourceLimits, type SourceEffect, type SourceState, type SourceStep } from "./source-state.ts";
import { endDisks, vetoed } from "./source-disks.ts";
import { hasCommitted, movesDisks, stay, strategyOf, to, undo } from "./source-transitions.ts";

export function onSample(state: SourceState, sample: CopySample, peerFresh: boolean): SourceStep {
  if (state.copy === null) return stay(state);
  if (hasCommitted(state) && state.memorySplit) return watchStream(state, state.copy, sample);
  if (state.phase !== "copying") return stay(state);
  const { state: copy, decision } = strategyOf(state).decide(state.copy, sample);
  const next = { ...state, copy };
  switch (decision.kind) {
    case "continue":
      return stay(next);
    case "tune":
      return stay(next, [
        { do: "tune", parameters: decision.parameters },
        { do: "note", decision: decision.decision },
      ]);
    case "switch":
      // A destination that did not answer lately could not start in time: do not even stop the guest.
      // While the guest is being let run again, its answer could not be told from one to a later back-out.
      return peerFresh && state.peerUp && !state.resuming
        ? stopGuest(next, decision, sample.atMs)
        : stay(next);
    case "unsafe":
      return undo(next, copyUnsafe(state));
    case "stalled":
      return undo(next, copyFailed(state, nothingSent(decision.forMs)));
    case "notConverging":
      return undo(next, notConverging(next, decision, copy.backOuts));
  }
}

const nothingSent = (forMs: number): string => `nothing was sent for ${String(Math.round(forMs / 1000))} s`;

/** Stopped by this agent and not by QEMU, which would let the guest run by itself when the copy fails. */
function stopGuest(
  state: SourceState,
  { memory, decision }: Extract<CopyDecision, { kind: "switch" }>,
  atMs: number,
): SourceStep {
  // From now on it is not known to run, though STOP has not been heard yet.
  const stopping: SourceState = { ...state, guestRuns: false, pausedAtMs: atMs };
  const note: SourceEffect = { do: "note", decision };
  if (memory === "split") {
    return to({ ...stopping, memorySplit: true }, "pausing", [
      { do: "journal", entry: { at: "postcopy" } },
      { do: "pauseVcpus" },
      { do: "startPostcopy" },
      { do: "arm", timer: "budget", afterMs: sourceLimits.switchMs },
      note,
    ]);
  }
  // A guest that stands still anyway notices no pause.
  const afterMs =
    state.pauseReason === null
      ? Math.max(1, state.order.maxOutageMs - sourceLimits.reserveMs)
      : sourceLimits.switchMs;
  return to(stopping, "pausing", [{ do: "pauseVcpus" }, { do: "arm", timer: "budget", afterMs }, note]);
}

export function onPreSwitchover(state: SourceState, atMs: number): SourceStep {
  if (state.phase !== "pausing" && state.phase !== "copying") return stay(state);
  const next = { ...state, guestRuns: false, pausedAtMs: state.pausedAtMs ?? atMs };
  // The back-out and QEMU's last step crossed: `cont` is on its way, so what would be sent is not final.
  if (state.resuming) return undo(next, copyFailed(state, "the switch took longer than the budget"));
  // The last veto: without the destination on the line nothing is finished.
  if (!state.peerUp) return undo(next, peerAway(state));
  if (state.copy !== null && !isTrusted(state.copy, state.passAtStop)) return undo(next, copyUnsafe(state));
  return movesDisks(next)
    ? endDisks(next, leftMs(next, next.pausedAtMs, atMs))
    : finishCopy(next, next.pausedAtMs, atMs);
}

/** The mirrors have ended, so that nothing but the last of the memory is missing at the destination. */
export function onDisksEnded(state: SourceState, atMs: number): SourceStep {
  if (state.phase !== "endingDisks" || state.pausedAtMs === null) return stay(state);
  return vetoed(state) ?? finishCopy(state, state.pausedAtMs, atMs);
}

/** Of the pause that is allowed. */
const leftMs = ({ order }: SourceState, pausedAtMs: number, atMs: number): number =>
  Math.max(1, order.maxOutageMs - sourceLimits.reserveMs - (atMs - pausedAtMs));

function finishCopy(state: SourceState, pausedAtMs: number, atMs: number): SourceStep {
  // Where QEMU stopped the guest by itself, how much is left is known only now: the budget goes on counting.
  const isBudgetOpen =
    state.pauseReason === null &&
    state.copy !== null &&
    !state.memorySplit &&
    strategyOf(state).qemuStopsGuest(state.copy);
  const budget: SourceEffect = isBudgetOpen
    ? { do: "arm", timer: "budget", afterMs: leftMs(state, pausedAtMs, atMs) }
    : { do: "disarm", timer: "budget" };
  return to(state, "switching", [
    { do: "continueSwitchover" },
    budget,
    { do: "arm", timer: "switch", afterMs: sourceLimits.switchMs },
  ]);
}

/** The budget is nearly used up and QEMU is not yet at its last step: the guest runs on, the copy goes on. */
export function backOut(state: SourceState, atMs: number): SourceStep {
  if (state.phase !== "pausing" || state.copy === null || state.pausedAtMs === null) return stay(state);
  const afterMs = atMs - state.pausedAtMs;
  const resuming = state.pauseReason === null;
  return to({ ...state, copy: backedOut(state.copy, atMs, afterMs), resuming }, "copying", [
    ...(resuming ? [{ do: "resumeVcpus" } as const] : []),
    { do: "note", decision: { kind: "backedOut", afterMs } },
  ]);
}
