/**
 * The source's half of the handoff: a pure reducer. It alone decides when the guest is stopped, when
 * permission to run is given away (`commit`), and when the guest may be resumed here. When to switch, the move's
 * strategy says.
 *
 * Safety: after `commit` was sent, vCPUs run here again only if the destination has given up or the
 * exclusive lease was granted. The copy here is thrown away only when the destination is known to run, with
 * all its memory. Every wait has a timer and a next step.
 */
import type { Problem } from "@godwit/contract";
import { backedOut, isTrusted, type CopySample } from "../copy.ts";
import type { CopyDecision } from "../strategies/strategy.ts";
import type { LeaseAnswer } from "./lease-answer.ts";
import type { ToSource } from "./messages.ts";
import {
  notWritten,
  onCopyStuck,
  onDestinationLostStream,
  onPostcopyActive,
  onStreamBroken,
  sendTheRest,
  watchStream,
} from "./source-postcopy.ts";
import {
  isCancellable,
  sourceLimits,
  type SourceEffect,
  type SourceInput,
  type SourceState,
  type SourceStep,
  type SourceTimer,
} from "./source-state.ts";
import {
  beginFor,
  cleanUp,
  cleanedUp,
  commit,
  copyIsOver,
  hasCommitted,
  lose,
  recover,
  repeatAbandon,
  resumeHere,
  sayCommit,
  settleUndo,
  settled,
  stay,
  staysHere,
  strategyOf,
  to,
  undo,
} from "./source-transitions.ts";
import {
  copyFailed,
  copyUnsafe,
  destinationReturned,
  notConverging,
  peerLost,
  prepareLate,
  problemOf,
  switchLate,
  vmLost,
} from "./source-problems.ts";

/** The next state and what is to be done, in order. An input that does not fit the phase changes nothing. */
export function stepSource(state: SourceState, input: SourceInput): SourceStep {
  switch (input.type) {
    case "start":
      if (state.phase !== "sharingLease") return stay(state);
      return to(state, "sharingLease", [
        { do: "journal", entry: { at: "started", order: state.order } },
        { do: "shareLease" },
        { do: "arm", timer: "prepare", afterMs: sourceLimits.prepareMs },
      ]);
    case "leaseAnswered":
      return onLeaseAnswered(state, input.answer);
    case "message":
      return onMessage(state, input.message, input.atMs);
    case "peerUp":
      return onPeerUp({ ...state, peerUp: true });
    case "peerDown":
      return onPeerDown(state);
    case "sample":
      return onSample(state, input.sample, input.peerFresh);
    case "paused":
      return stay({
        ...state,
        guestRuns: false,
        pausedAtMs: state.pausedAtMs ?? input.atMs,
        passAtStop: input.pass,
      });
    case "preSwitchover":
      return onPreSwitchover(state, input.atMs);
    case "completed":
      return onCompleted(state);
    case "postcopyActive":
      return onPostcopyActive({ ...state, streamBroken: false });
    case "streamBroken":
      return onStreamBroken(state);
    case "copyStuck":
      return onCopyStuck(state, input.reason);
    case "copyEnded":
      return onCopyEnded(state, input.reason);
    case "resumed":
      return onResumed(state);
    case "resumeFailed":
      if (state.phase !== "undoing") return stay(state);
      return stay(state, [
        { do: "note", decision: { kind: "resumeRefused", reason: input.reason } },
        { do: "arm", timer: "retry", afterMs: sourceLimits.retryMs },
      ]);
    case "qemuGone":
      return onQemuGone({ ...state, qemuAlive: false, guestRuns: false }, input.reason);
    case "removed":
      if (state.phase !== "cleaningUp") return stay(state);
      return stay({ ...state, qemuAlive: false }, [{ do: "releaseLease" }]);
    case "released":
      if (state.phase !== "cleaningUp") return stay(state);
      return cleanedUp(state);
    case "cancel":
      if (!isCancellable(state)) return stay(state);
      return undo(state, problemOf("MOVE_CANCELLED", { vm: state.order.vm.name, host: state.order.from }));
    case "timer":
      return onTimer(state, input.timer, input.atMs);
    case "journalFailed":
      return isCancellable(state) ? undo(state, input.problem) : notWritten(state, input.problem);
  }
}

function onMessage(state: SourceState, message: ToSource, atMs: number): SourceStep {
  switch (message.type) {
    case "prepared":
      if (state.phase !== "preparing") return stay(state);
      return to({ ...state, copy: beginFor(state, atMs) }, "copying", [
        { do: "disarm", timer: "prepare" },
        { do: "journal", entry: { at: "copying" } },
        { do: "startCopy", address: message.address, port: message.port },
      ]);
    case "running":
      if (hasCommitted(state)) return cleanUp(state, null);
      return stay(
        state,
        state.phase === "ended" ? [{ do: "send", message: { type: "sourceCleanedUp" } }] : [],
      );
    case "ready":
      return state.phase === "switching" && state.memorySplit && commitsOn(state, "destinationReady")
        ? commit(state)
        : stay(state);
    case "postcopyReceiving":
      return state.phase === "committed" ? sendTheRest(state) : stay(state);
    case "streamLost":
      return onDestinationLostStream(state);
    case "announced":
      return stay(state);
    case "recovering":
      if (!hasCommitted(state) || !state.streamBroken) return stay(state);
      return stay(state, [{ do: "resumeStream", address: message.address, port: message.port }]);
    case "died":
      // Without a commit it cannot have run: the same as giving up. With one, this copy is out of date.
      if (hasCommitted(state)) return cleanUp(state, message.problem);
      if (state.phase === "cleaningUp") return stay(state);
      // It keeps its lease until it hears that there was no commit.
      if (staysHere(state)) return stay(state, [{ do: "send", message: { type: "abandon" } }]);
      return state.phase === "ended" ? stay(state) : undo(state, message.problem);
    case "gaveUp":
      return onGaveUp({ ...state, destinationGaveUp: true }, message.problem);
    case "notUnderstood":
      // Without `prepare` there is nothing to wait for; what else it does not know, timers make up for.
      if (message.message !== "prepare" || (state.phase !== "sharingLease" && state.phase !== "preparing"))
        return stay(state);
      return undo(state, message.problem);
  }
}

function onGaveUp(state: SourceState, problem: Problem): SourceStep {
  if (state.phase === "ended") {
    return stay(state, [{ do: "disarm", timer: "retry" }, { do: "exclusiveLease" }, { do: "close" }]);
  }
  if (state.phase === "cleaningUp" || state.phase === "postcopySending") return stay(state);
  if (state.phase === "undoing") return settleUndo(state);
  if (!state.qemuAlive) return lose(state, problem.detail);
  // A destination that gave up has ended its QEMU and ignores any later commit: as good as the lease.
  return undo(state, problem);
}

function onPeerUp(state: SourceState): SourceStep {
  const effects: SourceEffect[] = [{ do: "disarm", timer: "peer" }];
  if (state.phase === "preparing")
    effects.push({ do: "send", message: { type: "prepare", order: state.order } });
  if (hasCommitted(state)) effects.push(sayCommit(state));
  if (staysHere(state)) {
    effects.push({ do: "send", message: { type: "abandon" } });
  }
  return { state, effects };
}

function onPeerDown(state: SourceState): SourceStep {
  const next = { ...state, peerUp: false };
  if (state.phase === "preparing" || state.phase === "copying") {
    return stay(next, [{ do: "arm", timer: "peer", afterMs: sourceLimits.peerLossMs }]);
  }
  return stay(next);
}

const commitsOn = (state: SourceState, what: "completed" | "destinationReady"): boolean =>
  strategyOf(state).commitsOn.includes(what);

function onSample(state: SourceState, sample: CopySample, peerFresh: boolean): SourceStep {
  if (state.copy === null) return stay(state);
  if (hasCommitted(state) && state.memorySplit) return watchStream(state, state.copy, sample);
  if (state.phase !== "copying") return stay(state);
  const { state: copy, decision } = strategyOf(state).decide(state.copy, sample);
  const next = { ...state, copy };
  switch (decision.kind) {
    case "continue":
      return stay(next);
    case "switch":
      // A destination that did not answer lately could not start in time: do not even stop the guest.
      return peerFresh && state.peerUp ? stopGuest(next, decision, sample.atMs) : stay(next);
    case "unsafe":
      return undo(next, copyUnsafe(state));
    case "stalled":
      return undo(next, copyFailed(state, nothingSent(decision.forMs)));
    case "notConverging":
      return undo(next, notConverging(next, decision, copy.backOuts));
  }
}

const nothingSent = (forMs: number): string =>
  `nothing was sent for ${String(Math.round(forMs / 1000))} s; is the migration network up?`;

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
  const afterMs = Math.max(1, state.order.maxOutageMs - sourceLimits.reserveMs);
  return to(stopping, "pausing", [{ do: "pauseVcpus" }, { do: "arm", timer: "budget", afterMs }, note]);
}

function onPreSwitchover(state: SourceState, atMs: number): SourceStep {
  if (state.phase !== "pausing" && state.phase !== "copying") return stay(state);
  const next = { ...state, guestRuns: false, pausedAtMs: state.pausedAtMs ?? atMs };
  // The back-out and QEMU's last step crossed: `cont` is on its way, so what would be sent is not final.
  if (state.resuming) return undo(next, copyFailed(state, "the switch took longer than the budget"));
  // The last veto: without the destination on the line nothing is finished.
  if (!state.peerUp) return undo(next, peerLost(state));
  if (state.copy !== null && !isTrusted(state.copy, state.passAtStop)) return undo(next, copyUnsafe(state));
  // Where QEMU stopped the guest by itself, how much is left is known only now: the budget goes on counting.
  const spentMs = atMs - next.pausedAtMs;
  const leftMs = Math.max(1, state.order.maxOutageMs - sourceLimits.reserveMs - spentMs);
  const isBudgetOpen =
    state.copy !== null && !state.memorySplit && strategyOf(state).qemuStopsGuest(state.copy);
  const budget: SourceEffect = isBudgetOpen
    ? { do: "arm", timer: "budget", afterMs: leftMs }
    : { do: "disarm", timer: "budget" };
  return to(next, "switching", [
    { do: "continueSwitchover" },
    budget,
    { do: "arm", timer: "switch", afterMs: sourceLimits.switchMs },
  ]);
}

function onCompleted(state: SourceState): SourceStep {
  if (hasCommitted(state)) return stay({ ...state, memorySplit: false });
  if (state.phase === "switching" && commitsOn(state, "completed"))
    return commit({ ...state, memorySplit: false });
  // QEMU never finishes without permission; should it, nobody knows what the guest did meanwhile.
  if (state.phase === "pausing" || state.phase === "copying") {
    return undo(state, copyFailed(state, "QEMU finished without having been told to"));
  }
  // The copy won the race against its cancelling; nothing was committed, so the VM stays here.
  if (state.phase === "undoing") return copyIsOver(state);
  return stay(state);
}

function onCopyEnded(state: SourceState, reason: string): SourceStep {
  if (state.phase === "undoing") return copyIsOver(state);
  // A post-copy that failed is never gone on with: who has not run there gives up, and who has is lost.
  if (hasCommitted(state) && state.memorySplit) {
    const commitForbidden = { ...state, commitForbidden: true, streamBroken: false };
    return stay(commitForbidden, [{ do: "disarm", timer: "retry" }, sayCommit(commitForbidden)]);
  }
  if (state.phase === "copying" || state.phase === "pausing" || state.phase === "switching") {
    return undo(state, copyFailed(state, reason));
  }
  return stay(state);
}

function onResumed(state: SourceState): SourceStep {
  const next = { ...state, guestRuns: true, resuming: false, pausedAtMs: null };
  if (state.phase === "undoing") return settleUndo(next);
  return stay(next);
}

function onLeaseAnswered(state: SourceState, answer: LeaseAnswer): SourceStep {
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
      ? "its host was fenced before it had said that it has the VM whole"
      : "it gave the VM's lease back before it had all of the VM's memory";
    return cleanUp(state, vmLost(state, state.order.to.host, reason));
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

function onQemuGone(state: SourceState, reason: string): SourceStep {
  switch (state.phase) {
    case "cleaningUp":
    case "ended":
    case "restarted":
      return stay(state);
    case "committed":
    case "postcopySending":
      return stay(state, state.memorySplit ? [sayCommit(state)] : []);
    case "sharingLease":
    case "preparing":
      return lose(state, reason);
    case "copying":
    case "pausing":
      // A destination that may wait for long is told that there is nothing to wait for.
      return commit({ ...state, commitForbidden: strategyOf(state).splitsMemory });
    case "switching":
      // The destination may have everything already; this side can never run again, so it may be told to go on.
      return commit({ ...state, commitForbidden: state.memorySplit });
    case "undoing":
      return lose(state, reason);
  }
}

function onTimer(state: SourceState, timer: SourceTimer, atMs: number): SourceStep {
  switch (timer) {
    case "prepare":
      if (state.phase !== "sharingLease" && state.phase !== "preparing") return stay(state);
      return undo(state, state.peerUp ? prepareLate(state) : peerLost(state));
    case "peer":
      if (state.peerUp || (state.phase !== "preparing" && state.phase !== "copying")) return stay(state);
      return undo(state, peerLost(state));
    case "budget":
      if (state.phase === "switching") return undo(state, copyUnsafe(state));
      if (state.phase === "pausing" && state.memorySplit)
        return undo(state, copyFailed(state, "QEMU did not begin post-copy in time"));
      return backOut(state, atMs);
    case "switch":
      if (state.phase !== "switching") return stay(state);
      return undo(state, switchLate(state));
    case "commit":
      if (!hasCommitted(state)) return stay(state);
      return stay(state, [
        sayCommit(state),
        { do: "exclusiveLease" },
        { do: "arm", timer: "commit", afterMs: sourceLimits.commitRepeatMs },
      ]);
    case "retry":
      if (state.phase === "ended" && staysHere(state)) {
        return stay(state, [{ do: "send", message: { type: "abandon" } }, repeatAbandon]);
      }
      if (hasCommitted(state) && state.streamBroken && state.qemuAlive) return stay(state, recover);
      if (state.phase !== "undoing") return stay(state);
      return state.guestRuns || !state.qemuAlive ? settleUndo(state) : resumeHere(state);
    case "undo":
      if (state.phase !== "undoing") return stay(state);
      if (state.guestRuns) return settled(state);
      if (!state.qemuAlive) {
        return stay(state, [
          { do: "send", message: { type: "abandon" } },
          { do: "exclusiveLease" },
          { do: "arm", timer: "undo", afterMs: sourceLimits.undoMs },
        ]);
      }
      return stay(state, [{ do: "cancelCopy" }, { do: "arm", timer: "undo", afterMs: sourceLimits.undoMs }]);
  }
}

/** The budget is nearly used up and QEMU is not yet at its last step: the guest runs on, the copy goes on. */
function backOut(state: SourceState, atMs: number): SourceStep {
  if (state.phase !== "pausing" || state.copy === null || state.pausedAtMs === null) return stay(state);
  const afterMs = atMs - state.pausedAtMs;
  return to({ ...state, copy: backedOut(state.copy, atMs, afterMs), resuming: true }, "copying", [
    { do: "resumeVcpus" },
    { do: "note", decision: { kind: "backedOut", afterMs } },
  ]);
}
