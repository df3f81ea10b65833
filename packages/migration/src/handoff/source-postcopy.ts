/**
 * The stream of a post-copy at its source: the guest runs at the destination, and what is left of its memory follows.
 * A stream that breaks is made again, for as long as both QEMUs are there.
 */
import type { Problem } from "@godwit/contract";
import { watchSending, type CopySample, type CopyState } from "../copy.ts";
import { sourceLimits, type SourceEffect, type SourceState, type SourceStep } from "./source-state.ts";
import { vmLost } from "./source-problems.ts";
import { commit, hasCommitted, recover, stay, to } from "./source-transitions.ts";

/** The rest is on its way. The commit waits for the destination's word that the guest can run there. */
export function onPostcopyActive(state: SourceState): SourceStep {
  return stay(state, hasCommitted(state) ? [{ do: "disarm", timer: "retry" }] : []);
}

export function onStreamBroken(before: SourceState): SourceStep {
  const state = { ...before, streamBroken: true };
  if (before.streamBroken || !hasCommitted(state)) return stay(state);
  return stay(state, [{ do: "note", decision: { kind: "streamBroken" } }, ...recover]);
}

/**
 * Not to be taken back any more. The destination has not been told to end its half, so the only way is on: written
 * down before it is said, for a restart must not find that the move is being undone.
 */
export function onCopyStuck(state: SourceState, reason: string): SourceStep {
  if (state.phase !== "undoing" || !state.qemuAlive) return stay(state);
  // Neither copy can go on. Its lease is given back when this QEMU is surely gone, and not before.
  if (state.destinationGaveUp)
    return stay({ ...state, problem: vmLost(state, state.order.from, reason) }, [{ do: "remove" }]);
  const { state: next, effects } = commit({ ...state, problem: null, memorySplit: true, streamBroken: true });
  const written: SourceEffect = { do: "journal", entry: { at: "postcopy" } };
  return { state: next, effects: [{ do: "disarm", timer: "undo" }, written, ...effects] };
}

/** That it goes on could not be written down, so nothing of it was said: it is asked again whether it can be undone. */
export function notWritten(state: SourceState, problem: Problem): SourceStep {
  if (state.phase !== "committed") return stay(state);
  return to({ ...state, problem }, "undoing", [{ do: "arm", timer: "undo", afterMs: sourceLimits.undoMs }]);
}

/** The destination's end of the stream is broken; this end may not have noticed. */
export function onDestinationLostStream(state: SourceState): SourceStep {
  if (state.phase !== "committed" && state.phase !== "postcopySending") return stay(state);
  const sending = state.phase === "committed" ? sendTheRest(state) : stay(state);
  if (state.streamBroken || !state.qemuAlive) return sending;
  return { ...sending, effects: [...sending.effects, { do: "breakStream" }] };
}

/** The guest runs at the destination, which takes the rest of its memory from here. */
export function sendTheRest(state: SourceState): SourceStep {
  return to(state, "postcopySending", [
    { do: "note", decision: { kind: "runsWhileMemoryArrives" } },
    ...(state.streamBroken ? recover : []),
  ]);
}

/** A stream of which nothing gets through any more is made again; TCP itself would wait for a quarter of an hour. */
export function watchStream(state: SourceState, copy: CopyState, sample: CopySample): SourceStep {
  const watched = watchSending(copy, sample);
  const isStill = sample.atMs - watched.sentAtMs >= sourceLimits.streamMs;
  if (!isStill || state.streamBroken) return stay({ ...state, copy: watched });
  return stay({ ...state, copy: { ...watched, sentAtMs: sample.atMs } }, [{ do: "breakStream" }]);
}
