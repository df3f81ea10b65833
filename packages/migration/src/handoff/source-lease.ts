/**
 * What the answers of the lease service mean to the source. The exclusive lease proves that the destination has nothing
 * to run; a fenced destination proves nothing, for it may have run.
 */
import type { Problem } from "@godwit/contract";
import type { LeaseAnswer } from "./lease-answer.ts";
import { destinationReturned, vmLost } from "./source-problems.ts";
import { sourceLimits, type SourceState, type SourceStep } from "./source-state.ts";
import { cleanUp, lose, movesDisks, settleUndo, stay, to, undo } from "./source-transitions.ts";

export function onLeaseAnswered(state: SourceState, answer: LeaseAnswer): SourceStep {
  switch (answer.kind) {
    case "granted":
      return answer.mode === "SH"
        ? onShared(state)
        : onExclusive(state, answer.fenced.includes(peerOf(state)));
    case "notHeld":
      // This copy has ended and its share is gone: only a new grant tells that nobody else has the VM.
      if (isOver(state)) return stay(state, [{ do: "reacquireLease" }]);
      return onLeaseRefused(state, answer.problem);
    case "heldBy": {
      // Held by others than the destination is as good as having it: the destination has no share any more, and
      // says so if it can be heard.
      const isAlone = state.phase === "undoing" || !state.peerUp;
      const isThirds =
        answer.holders.length > 0 && answer.holders.every(({ host }) => host !== peerOf(state));
      if (isOver(state) && isAlone && isThirds) return onExclusive(state, false);
      return onLeaseRefused(state, answer.problem);
    }
    case "unknown":
      return onLeaseRefused(state, answer.problem);
  }
}

const peerOf = ({ order }: SourceState): string => order.to.host;

/** Nothing of the VM is left here, so that only the lease can tell what became of the other copy. */
const isOver = ({ phase, qemuAlive }: SourceState): boolean =>
  !qemuAlive && (phase === "committed" || phase === "postcopySending" || phase === "undoing");

function onShared(state: SourceState): SourceStep {
  if (state.phase !== "sharingLease") return stay(state);
  return to(state, "preparing", [{ do: "send", message: { type: "prepare", order: state.order } }]);
}

function onExclusive(state: SourceState, fenced: boolean): SourceStep {
  // Nobody else holds the lease. Who gave it back never ran; who was fenced may have run, and been seen by
  // others and by the disks: this copy is then out of date, and no better than a VM whose host has died.
  if (state.phase === "postcopySending" || (state.phase === "committed" && fenced)) {
    const reason = fenced
      ? "its host was fenced before it had said that the VM runs there"
      : "it gave the VM's lease back before it had all of the VM's memory";
    // What it wrote to images of its own is lost with it: those here are the newest that are left.
    return cleanUp(state, vmLost(state, state.order.to.host, reason), fenced && movesDisks(state));
  }
  if (state.phase === "committed") {
    if (!state.qemuAlive) return lose(state, "its process ended and the destination has no copy");
    return undo({ ...state, destinationGaveUp: true }, destinationReturned(state));
  }
  if (state.phase === "undoing") return settleUndo({ ...state, destinationGaveUp: true });
  return stay(state);
}

function onLeaseRefused(state: SourceState, problem: Problem): SourceStep {
  if (state.phase === "sharingLease") return undo(state, problem);
  if (state.phase === "undoing")
    return stay(state, [{ do: "arm", timer: "retry", afterMs: sourceLimits.retryMs }]);
  // In `committed` its own timer asks again.
  return stay(state);
}
