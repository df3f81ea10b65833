/**
 * Where the source stands after a restart of its agent. A commit is only ever sent after QEMU's `completed`, or when
 * it was written down that memory is split, so what QEMU says decides whether one may have been sent: without either
 * the VM is taken back, with one the commit is repeated, which is harmless. A QEMU that is gone says nothing: a commit
 * may have been sent, or the guest may have run on here, so the destination goes on only if it has heard one.
 */
import type { PauseReason } from "@godwit/contract";
import { requestedStrategy, withoutLastResort } from "../strategies/choose.ts";
import { copyFailed, guestShutDown } from "./source-problems.ts";
import {
  initialSource,
  type ObservedSource,
  type SourceEntry,
  type SourceState,
  type SourceStep,
} from "./source-state.ts";
import { beginFor, cleanUp, commit, lose, repeatAbandon, to, undo } from "./source-transitions.ts";

export function restoreSource(entries: readonly SourceEntry[], observed: ObservedSource): SourceStep {
  const first = entries[0];
  const last = entries.findLast(({ at }) => at !== "guestPaused");
  if (first?.at !== "started" || last === undefined)
    throw new TypeError("a source journal begins with started");
  const isWithoutPostcopy = entries.some((entry) => entry.at === "copying" && entry.withoutPostcopy === true);
  const order = isWithoutPostcopy ? withoutLastResort(first.order) : first.order;
  const state: SourceState = {
    ...initialSource(order, observed.qemuVersion),
    phase: "restarted",
    qemuAlive: observed.qemuAlive,
    guestRuns: observed.guestRuns,
    pauseReason: observed.guestRuns ? null : (observed.pauseReason ?? pauseReasonIn(entries)),
  };
  switch (last.at) {
    case "guestPaused":
      return restarted(state); // passed over above
    case "ended":
      return to({ ...state, outcome: last.outcome }, "ended", [
        last.outcome.kind === "stayed" ? repeatAbandon : { do: "close" },
      ]);
    case "cleaningUp":
      return cleanUp(state, last.died, last.keepsDisks === true);
    case "undoing": {
      if (!observed.qemuAlive) return lose(state, goneMeanwhile);
      const memorySplit = requestedStrategy(order).splitsMemory;
      // Should it turn out that it cannot be undone, its stream is looked at.
      return undo({ ...state, memorySplit, copy: memorySplit ? beginFor(state, 0) : null }, last.problem);
    }
    case "copying":
    case "postcopy":
      return afterCopying(state, last.at, observed);
    case "started":
      return observed.qemuAlive ? restarted(state) : lose(state, goneMeanwhile);
  }
}

const goneMeanwhile = "it was gone when the agent came back";

/** Why the guest stands still, as it was written down last. */
function pauseReasonIn(entries: readonly SourceEntry[]): PauseReason | null {
  const told = entries.findLast((entry) => entry.at === "guestPaused" || entry.at === "started");
  return told !== undefined && "pauseReason" in told ? (told.pauseReason ?? null) : null;
}

const restarted = (state: SourceState): SourceStep =>
  undo(
    state,
    state.pauseReason === "shutdown"
      ? guestShutDown(state)
      : copyFailed(state, "the source agent was restarted"),
  );

/** The destination may have everything already. */
function afterCopying(state: SourceState, at: "copying" | "postcopy", observed: ObservedSource): SourceStep {
  if (!observed.qemuAlive) return commit({ ...state, commitForbidden: true });
  // A guest that runs here was resumed here, whatever QEMU says of an earlier copy.
  if (observed.guestRuns) return restarted(state);
  if (observed.copyCompleted) return commit(state);
  if (observed.postcopy !== null) {
    const copy = beginFor(state, 0); // looks at the stream go on
    return commit({ ...state, copy, memorySplit: true, streamBroken: observed.postcopy === "broken" });
  }
  // It may have been committed and have failed since, which QEMU does not tell apart from one that was not: the
  // destination is asked to give up, and says whether its guest ran.
  if (at === "postcopy" && observed.copyFailed)
    return commit({ ...state, commitForbidden: true, memorySplit: true });
  return restarted(state);
}
