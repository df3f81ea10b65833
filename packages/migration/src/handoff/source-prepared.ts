/**
 * The destination is prepared. Where its QEMU cannot receive a post-copy and the move only has it as its last resort, it goes on
 * without: this QEMU is set as that one is before the copy starts, and a restart finds in the journal which it was.
 */
import { mayLeaveOutPostcopy, withoutLastResort } from "../strategies/choose.ts";
import type { ToSource } from "./messages.ts";
import { beginCopies } from "./source-disks.ts";
import { problemOf } from "./source-problems.ts";
import type { SourceEffect, SourceState, SourceStep } from "./source-state.ts";
import { strategyOf, undo } from "./source-transitions.ts";

export function onPrepared(
  state: SourceState,
  message: Extract<ToSource, { type: "prepared" }>,
  atMs: number,
): SourceStep {
  const { postcopyLeftOut: reason } = message;
  const disarm: SourceEffect = { do: "disarm", timer: "prepare" };
  if (reason === undefined)
    return beginCopies(state, message, atMs, [disarm, { do: "journal", entry: { at: "copying" } }]);
  const { order } = state;
  const { host } = order.to;
  // Nobody asked for that answer: two QEMUs that are set otherwise could not end the copy.
  if (!mayLeaveOutPostcopy(order)) return undo(state, problemOf("POSTCOPY_UNAVAILABLE", { host, reason }));
  const note: SourceEffect = { do: "note", decision: { kind: "postcopyLeftOut", host, reason } };
  return beginCopies({ ...state, order: withoutLastResort(order) }, message, atMs, [
    disarm,
    { do: "journal", entry: { at: "copying", withoutPostcopy: true } },
    // Of a guest of which only one pass can be trusted it would not have been used.
    ...(strategyOf(state).splitsMemory ? [note] : []),
  ]);
}
