/**
 * The destination's half of the handoff: a pure reducer. Its QEMU is started without permission to run, and
 * the guest is let run only on the source's `commit`. The lease alone is no permission: without a commit the
 * source may have let its guest run on. Once it has given up, its QEMU is ended and no later commit counts.
 */
import type { MoveOrder, Problem } from "@godwit/contract";
import {
  destinationLimits,
  initialDestination,
  type DestinationInput,
  type DestinationState,
  type DestinationStep,
  type DestinationTimer,
} from "./destination-state.ts";
import { onPrepared } from "./destination-prepared.ts";
import {
  died,
  endGivingBack,
  endHere,
  finish,
  giveBack,
  giveBackWith,
  giveUp,
  giveUpWith,
  hasDied,
  isSplit,
  kill,
  loaded,
  movesDisks,
  resumed,
  runs,
  splitsMemory,
  start,
  stay,
  tell,
  to,
} from "./destination-transitions.ts";
import type { LeaseAnswer } from "./lease-answer.ts";
import type { ToDestination } from "./messages.ts";

/** A new move begins: journal first, then the effects. */
export function startDestination(order: MoveOrder): DestinationStep {
  return to(initialDestination(order), "preparing", [
    { do: "journal", entry: { at: "started", order } },
    { do: "prepare" },
  ]);
}

/** The next state and what is to be done, in order. An input that does not fit the phase changes nothing. */
export function stepDestination(state: DestinationState, input: DestinationInput): DestinationStep {
  switch (input.type) {
    case "message":
      return onMessage(state, input.message, input.atMs);
    case "prepared":
      if (state.phase !== "preparing") return stay(state);
      return onPrepared(state, input);
    case "prepareFailed":
      if (state.phase !== "preparing") return stay(state);
      return giveUpWith(state, input.problem);
    case "loaded":
      if (state.phase !== "receiving") return stay(state);
      return loaded({ ...state, memoryComplete: input.memoryComplete }, []);
    case "memoryComplete":
      return onMemoryComplete({ ...state, memoryComplete: true, streamBroken: false, waited: input.waited });
    case "streamBroken":
      return onStreamBroken({ ...state, streamBroken: true });
    case "streamResumed":
      return stay({ ...state, streamBroken: false });
    case "recovering":
      if (!isRecoverable(state)) return stay(state);
      return stay(state, [
        { do: "send", message: { type: "recovering", address: input.address, port: input.port } },
      ]);
    case "loadFailed":
      if (state.phase === "givingBack") return endGivingBack(state);
      return state.phase === "receiving" ? giveUp(state, input.reason) : stay(state);
    case "resumed":
      if (state.phase !== "starting") return stay(state);
      return resumed(state, input.commitToResumeMs, input.start);
    case "disksActive":
      if (state.phase !== "starting" || state.pauseReason === null) return stay(state);
      return resumed(state, 0, null);
    case "announced":
      return stay(state, [{ do: "send", message: input }]);
    case "resumeFailed":
      return onResumeFailed(state, input.reason);
    case "qemuGone":
      return onQemuGone(state, input.reason);
    case "removed":
      if (state.phase === "died" && !state.qemuEnded) return hasDied(state);
      if (state.phase !== "givingUp" || state.problem === null) return stay(state);
      return stay({ ...state, removed: true }, [
        ...tell({ ...state, removed: true }),
        { do: movesDisks(state) ? "removeDisks" : "releaseLease" },
      ]);
    case "disksRemoved":
      return stay(state, state.phase === "givingUp" ? [{ do: "releaseLease" }] : []);
    case "released":
      if (state.phase !== "givingUp" || state.problem === null) return stay(state);
      return finish(state, { kind: "gaveUp", problem: state.problem });
    case "superseded":
      if (state.phase !== "running") return stay(state);
      return finish(state, { kind: "runs" });
    case "leaseAnswered":
      return onLeaseAnswered(state, input.answer);
    case "peerUp":
      return onPeerUp({ ...state, peerUp: true });
    case "peerDown":
      return onPeerDown({ ...state, peerUp: false });
    case "timer":
      return onTimer(state, input.timer);
    case "journalFailed":
      return onJournalFailed(state, input.problem);
  }
}

function onJournalFailed(state: DestinationState, problem: Problem): DestinationStep {
  // The beginning could not be written, or that it is prepared: nobody was told of it yet.
  if (state.phase === "preparing" || state.phase === "receiving") {
    return giveUpWith({ ...state, wasPrepared: false }, problem);
  }
  if (state.phase === "givingBack" || isHere(state)) {
    return stay({ ...state, unwritten: true }, [
      { do: "arm", timer: "retry", afterMs: destinationLimits.retryMs },
    ]);
  }
  // That it takes the VM over could not be written, so nothing was let run.
  if (state.phase === "starting") return onResumeFailed({ ...state, tookOver: false }, problem.detail);
  if (state.phase !== "givingUp" || state.removed) return stay(state);
  if (!state.wasPrepared) return stay(state, endHere);
  return stay(state, [{ do: "arm", timer: "retry", afterMs: destinationLimits.retryMs }]);
}

function onMessage(state: DestinationState, message: ToDestination, atMs: number): DestinationStep {
  switch (message.type) {
    case "prepare":
      return stay(state, tell(state, message.type));
    case "commit": {
      const committed = { ...state, commitAtMs: atMs, pauseReason: message.pauseReason ?? null };
      if (state.phase === "loaded") return start(committed);
      if (state.phase === "receiving" && state.commitAtMs === null) {
        // What is missing is on its way, or its sender died before it was sent.
        return stay(committed, [{ do: "arm", timer: "commit", afterMs: destinationLimits.commitMs }]);
      }
      return stay(state, tell(state, message.type));
    }
    case "abandon":
      // In `died` it is the proof that no commit was ever sent, so that nothing ran here.
      if (["preparing", "receiving", "loaded", "died"].includes(state.phase)) {
        return giveUp(state, "the source took the VM back");
      }
      if (state.phase === "givingBack") return endGivingBack(state);
      return stay(state, tell(state, message.type));
    case "sourceQemuLost":
      if (["preparing", "receiving", "loaded"].includes(state.phase)) {
        return giveUp(state, "the source's QEMU is gone, and it had not committed");
      }
      if (isSplit(state)) return kill(state, "the rest of its memory is lost with the source's QEMU");
      if (state.phase === "givingBack") return endGivingBack(state);
      return stay(state, tell(state, message.type));
    case "sourceCleanedUp":
      if (state.phase !== "running" && state.phase !== "died") return stay(state);
      return stay(state, [{ do: "exclusiveLease" }]);
    case "recover":
      return stay(state, isRecoverable(state) ? [{ do: "recoverStream" }] : tell(state, message.type));
    case "notUnderstood":
      return stay(state); // it is said again, and the source's lease tells the rest
  }
}

/** A guest that is not let run is this host's. */
const isHere = ({ phase, pauseReason }: DestinationState): boolean =>
  pauseReason !== null && (phase === "running" || phase === "postcopyReceiving");

/** The source has lost its stream: a new one can be made, or what has not arrived never will. */
const isRecoverable = (state: DestinationState): boolean =>
  splitsMemory(state) && ["receiving", "loaded", "starting", "postcopyReceiving"].includes(state.phase);

function onPeerUp(state: DestinationState): DestinationStep {
  return stay(state, [{ do: "disarm", timer: "peer" }, ...tell(state)]);
}

function onPeerDown(state: DestinationState): DestinationStep {
  if (state.phase !== "preparing" && state.phase !== "receiving") return stay(state);
  return stay(state, [{ do: "arm", timer: "peer", afterMs: destinationLimits.peerLossMs }]);
}

function onResumeFailed(state: DestinationState, reason: string): DestinationStep {
  if (state.phase !== "starting") return stay(state);
  if (state.resumeAttempts >= destinationLimits.resumeAttempts) {
    return giveBack(state, `the guest could not be started: ${reason}`);
  }
  return stay(state, [{ do: "arm", timer: "retry", afterMs: destinationLimits.resumeRetryMs }]);
}

function onQemuGone(state: DestinationState, reason: string): DestinationStep {
  if (state.phase === "givingUp" || state.phase === "died" || state.phase === "ended") return stay(state);
  // A guest that is not let run has not run.
  if (state.phase === "starting" && state.pauseReason !== null) return giveUp(state, reason);
  // Neither has one that is not written down as taken over.
  if (state.phase === "starting" && movesDisks(state) && !state.tookOver) return giveUp(state, reason);
  // Once `cont` was on its way the guest may have run, and may have been seen by others.
  if (state.phase === "starting" || state.phase === "postcopyReceiving" || state.phase === "running")
    return died(state, reason);
  if (state.phase === "givingBack") return endGivingBack(state);
  return giveUp(state, reason);
}

function onLeaseAnswered(state: DestinationState, answer: LeaseAnswer): DestinationStep {
  switch (answer.kind) {
    case "granted":
      return answer.mode === "EX" ? onAlone(state) : stay(state);
    case "notHeld":
      // With its share taken away there is nothing left to wait for; a copy without a commit gives up.
      return onAlone(state);
    case "heldBy": {
      const source = answer.holders.find(({ host }) => host === state.order.from);
      return onLeaseRefused(state, source?.fresh === true);
    }
    case "unknown":
      return onLeaseRefused(state, false);
  }
}

/** The source has no share of the lease any more. */
function onAlone(state: DestinationState): DestinationStep {
  // Only a source that was fenced leaves its lease to an uncommitted copy; its guest may have run on.
  if (state.phase === "receiving" || state.phase === "loaded")
    return giveUp(state, "the source's host is gone, and it had not committed");
  if (isSplit(state)) return kill(state, "the rest of its memory is lost with the source's host");
  // What is not written down yet could not be told from a copy without a commit after a restart.
  if (state.phase === "running" && state.unwritten)
    return stay(state, [{ do: "arm", timer: "retry", afterMs: destinationLimits.retryMs }]);
  if (state.phase === "running") return finish(state, { kind: "runs" });
  if (state.phase === "died" && state.qemuEnded && state.problem !== null) {
    const { state: ended, effects } = finish(state, { kind: "died", problem: state.problem });
    // Last, so that no ended move asks for it again; reconciliation makes up for a missed release.
    return { state: ended, effects: [...effects, { do: "releaseLease" }] };
  }
  return stay(state);
}

function onLeaseRefused(state: DestinationState, isSourceFresh: boolean): DestinationStep {
  if (state.phase === "postcopyReceiving" || state.phase === "running" || state.phase === "died") {
    return stay(state, [{ do: "arm", timer: "retry", afterMs: destinationLimits.retryMs }]);
  }
  if (state.phase !== "receiving" && state.phase !== "loaded") return stay(state);
  // The source lives and holds the lease: it can take its VM back, and does so when this copy is gone. Where memory is
  // split it may not be able to, once this copy is gone: it says what it wants when it can be heard.
  if (isSourceFresh && !splitsMemory(state)) return giveUp(state, "no commit came from the source");
  // Else this may be the only complete copy: it is kept until someone can tell.
  return stay(state, [{ do: "arm", timer: "commit", afterMs: destinationLimits.retryMs }]);
}

function onTimer(state: DestinationState, timer: DestinationTimer): DestinationStep {
  switch (timer) {
    case "peer":
      if (state.peerUp || (state.phase !== "preparing" && state.phase !== "receiving")) return stay(state);
      // With a commit heard, or the rest on its way, it is not this clock that ends it.
      if (state.commitAtMs !== null || state.streamBroken)
        return stay(state, [{ do: "arm", timer: "commit", afterMs: destinationLimits.retryMs }]);
      // Before it is prepared there is no stream that the source would need.
      return state.phase === "preparing"
        ? giveUp(state, "the source did not respond")
        : giveBack(state, "the source did not respond");
    case "commit":
      // `cont` itself may wait for memory that comes no more.
      if (state.phase === "starting" && !state.memoryComplete)
        return stay(state, [
          { do: "exclusiveLease" },
          { do: "arm", timer, afterMs: destinationLimits.retryMs },
        ]);
      if (state.phase === "receiving" && !splitsMemory(state))
        return giveUp(state, "the VM's state never became complete");
      if (state.phase !== "receiving" && state.phase !== "loaded") return stay(state);
      return stay(state, [...tell(state), { do: "exclusiveLease" }]);
    case "retry":
      if (state.phase === "starting") return start(state);
      if (isHere(state) && state.unwritten) return resumed(state, 0, null);
      if (state.phase === "postcopyReceiving" || state.phase === "running" || state.phase === "died")
        return stay(state, [{ do: "exclusiveLease" }]);
      if (state.phase === "givingBack" && state.problem !== null) {
        return state.unwritten ? giveBackWith(state, state.problem) : endGivingBack(state);
      }
      if (state.phase === "givingUp" && !state.removed && state.problem !== null) {
        return giveUpWith(state, state.problem);
      }
      return stay(state);
  }
}

const onMemoryComplete = (state: DestinationState): DestinationStep =>
  state.phase === "postcopyReceiving" ? runs(state, []) : stay(state);

function onStreamBroken(state: DestinationState): DestinationStep {
  if (state.phase === "postcopyReceiving") return stay(state, tell(state));
  return state.phase === "givingBack" ? endGivingBack(state) : stay(state);
}
