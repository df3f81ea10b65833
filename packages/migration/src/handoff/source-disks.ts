/**
 * The disks of a VM that moves to a host that shares no storage with this one. They are mirrored first, then memory is copied
 * while what the guest writes goes to both images, and the mirrors are ended while the guest stands still, before the last of
 * its memory is sent. Until the destination has taken the VM over, the images here are the VM's.
 */
import type { ToSource } from "./messages.ts";
import { copyFailed, peerAway, problemOf } from "./source-problems.ts";
import { sourceLimits, type SourceEffect, type SourceState, type SourceStep } from "./source-state.ts";
import { beginFor, movesDisks, stay, to, undo } from "./source-transitions.ts";
import type { Problem } from "@godwit/contract";

/** The destination is prepared: memory is copied, or the disks before it. @param first what is done before either */
export function beginCopies(
  state: SourceState,
  { address, port, disksPort }: Extract<ToSource, { type: "prepared" }>,
  atMs: number,
  first: readonly SourceEffect[],
): SourceStep {
  if (!movesDisks(state))
    return to({ ...state, copy: beginFor(state, atMs) }, "copying", [
      ...first,
      { do: "startCopy", address, port },
    ]);
  if (disksPort === undefined) {
    const reason = "its agent takes no disks";
    const { vm, to: destination } = state.order;
    return undo(state, problemOf("MOVE_PREPARE_FAILED", { vm: vm.name, host: destination.host, reason }));
  }
  return to({ ...state, incoming: { address, port } }, "copyingDisks", [
    ...first,
    { do: "copyDisks", address, port: disksPort },
  ]);
}

export function onDisksReady(state: SourceState, atMs: number): SourceStep {
  if (state.phase !== "copyingDisks" || state.incoming === null) return stay(state);
  return to({ ...state, incoming: null, copy: beginFor(state, atMs) }, "copying", [
    { do: "startCopy", ...state.incoming },
  ]);
}

/** The guest stands still, and QEMU waits: what is left of its writes goes to the destination. */
export const endDisks = (state: SourceState, leftMs: number): SourceStep =>
  to(state, "endingDisks", [
    { do: "endDisks" },
    { do: "arm", timer: "budget", afterMs: state.pauseReason === null ? leftMs : sourceLimits.switchMs },
  ]);

/** No way back to the copy: the mirrors would have to begin from their start. */
export const disksLate = (state: SourceState): SourceStep =>
  undo(state, copyFailed(state, "the mirrors of its disks did not end within the pause that is allowed"));

/** The last veto, once more, before the last state is sent. @returns null: none */
export const vetoed = (state: SourceState): SourceStep | null =>
  state.peerUp ? null : undo(state, peerAway(state));

export function onDisksFailed(state: SourceState, problem: Problem): SourceStep {
  switch (state.phase) {
    case "copyingDisks":
    case "copying":
    case "pausing":
    case "endingDisks":
      return undo(state, problem);
    default:
      return stay(state); // they have ended, or are ended on purpose
  }
}

export function onDisksRemoved(state: SourceState): SourceStep {
  if (state.phase !== "cleaningUp") return stay(state);
  return stay({ ...state, disksRemoved: true }, [{ do: "releaseLease" }]);
}
