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
import type { ToSource } from "./messages.ts";
import {
  notWritten,
  onCopyStuck,
  onDestinationLostStream,
  onPostcopyActive,
  onStreamBroken,
  sendTheRest,
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
import { onLeaseAnswered } from "./source-lease.ts";
import { onLimits } from "./source-limits.ts";
import { onDisksActive, onGuestPaused, onResumed, startedEntry } from "./source-guest.ts";
import { disksLate, onDisksFailed, onDisksReady, onDisksRemoved } from "./source-disks.ts";
import { onPrepared } from "./source-prepared.ts";
import { backOut, onDisksEnded, onPreSwitchover, onSample } from "./source-switch.ts";
import {
  cleanUp,
  cleanedUp,
  commit,
  copyIsOver,
  hasCommitted,
  isBack,
  lose,
  recover,
  removedHere,
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
  peerLost,
  peerUnreached,
  prepareLate,
  problemOf,
  switchLate,
} from "./source-problems.ts";

/** The next state and what is to be done, in order. An input that does not fit the phase changes nothing. */
export function stepSource(state: SourceState, input: SourceInput): SourceStep {
  switch (input.type) {
    case "start":
      if (state.phase !== "sharingLease") return stay(state);
      return to(state, "sharingLease", [
        { do: "journal", entry: startedEntry(state) },
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
    case "guestPaused":
      return onGuestPaused(state, input.pauseReason);
    case "preSwitchover":
      return onPreSwitchover(state, input.atMs);
    case "disksReady":
      return onDisksReady(state, input.atMs);
    case "disksEnded":
      return onDisksEnded(state, input.atMs);
    case "disksFailed":
      return onDisksFailed(state, input.problem);
    case "disksRemoved":
      return onDisksRemoved(state);
    case "completed":
      return onCompleted(state);
    case "postcopyActive":
      return onPostcopyActive({ ...state, streamBroken: false });
    case "streamBroken":
      return onStreamBroken(state);
    case "copyStuck":
      return onCopyStuck(state, input.reason);
    case "copyEnded":
      return onCopyEnded(state, input.problem ?? copyFailed(state, input.reason));
    case "resumed":
      return onResumed(state);
    case "resumeFailed":
      if (state.phase !== "undoing") return stay(state);
      return stay(state, [
        { do: "note", decision: { kind: "resumeRefused", reason: input.reason } },
        { do: "arm", timer: "retry", afterMs: sourceLimits.retryMs },
      ]);
    case "disksActive":
      return onDisksActive(state);
    case "qemuGone":
      return onQemuGone({ ...state, qemuAlive: false, guestRuns: false }, input);
    case "removed":
      return state.phase === "cleaningUp" ? removedHere(state) : stay(state);
    case "released":
      if (state.phase !== "cleaningUp") return stay(state);
      return cleanedUp(state);
    case "limits":
      return onLimits(state, input.limits, input.because);
    case "cancel":
      if (!isCancellable(state)) return stay(state);
      return undo(
        state,
        input.problem ?? problemOf("MOVE_CANCELLED", { vm: state.order.vm.name, host: state.order.from }),
      );
    case "timer":
      return onTimer(state, input.timer, input.atMs);
    case "journalFailed":
      return isCancellable(state) ? undo(state, input.problem) : notWritten(state, input.problem);
  }
}

function onMessage(state: SourceState, message: ToSource, atMs: number): SourceStep {
  switch (message.type) {
    case "prepared":
      return state.phase === "preparing" ? onPrepared(state, message, atMs) : stay(state);
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
      // It keeps its lease until it learns that there was no commit.
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
  if (waitsForPeer(state)) {
    return stay(next, [{ do: "arm", timer: "peer", afterMs: sourceLimits.peerLossMs }]);
  }
  return stay(next);
}

const waitsForPeer = ({ phase }: SourceState): boolean =>
  phase === "preparing" || phase === "copyingDisks" || phase === "copying";

const commitsOn = (state: SourceState, what: "completed" | "destinationReady"): boolean =>
  strategyOf(state).commitsOn.includes(what);

function onCompleted(state: SourceState): SourceStep {
  if (hasCommitted(state)) return stay({ ...state, memorySplit: false });
  if (state.phase === "switching" && commitsOn(state, "completed"))
    return commit({ ...state, memorySplit: false });
  // QEMU never finishes without permission; should it, nobody knows what the guest did meanwhile.
  if (state.phase === "pausing" || state.phase === "copying" || state.phase === "endingDisks") {
    return undo(state, copyFailed(state, "QEMU finished without having been told to"));
  }
  // The copy won the race against its cancelling; nothing was committed, so the VM stays here.
  if (state.phase === "undoing") return copyIsOver(state);
  return stay(state);
}

const copyPhases: readonly SourceState["phase"][] = ["copying", "pausing", "endingDisks", "switching"];

function onCopyEnded(state: SourceState, problem: Problem): SourceStep {
  if (state.phase === "undoing") return copyIsOver(state);
  // A post-copy that failed is never gone on with: who has not run there gives up, and who has is lost.
  if (hasCommitted(state) && state.memorySplit) {
    const commitForbidden = { ...state, commitForbidden: true, streamBroken: false };
    return stay(commitForbidden, [{ do: "disarm", timer: "retry" }, sayCommit(commitForbidden)]);
  }
  if (copyPhases.includes(state.phase)) return undo(state, problem);
  return stay(state);
}

function onQemuGone(
  state: SourceState,
  { reason, heardAll }: { reason: string; heardAll: boolean },
): SourceStep {
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
    case "copyingDisks":
      return lose(state, reason);
    case "copying":
    case "pausing":
    case "endingDisks":
      // A destination that may wait for long is informed that there is nothing to wait for.
      return commit({ ...state, commitForbidden: strategyOf(state).splitsMemory });
    case "switching":
      // The destination may have everything already; this side can never run again, so it may be told to go on. Not
      // where QEMU may have failed and let the guest run on here before it ended, without the agent having read so.
      return commit({ ...state, commitForbidden: state.memorySplit || !heardAll });
    case "undoing":
      return lose(state, reason);
  }
}

function onTimer(state: SourceState, timer: SourceTimer, atMs: number): SourceStep {
  switch (timer) {
    case "prepare":
      if (state.phase !== "sharingLease" && state.phase !== "preparing") return stay(state);
      return undo(state, state.peerUp ? prepareLate(state) : peerUnreached(state));
    case "peer":
      if (state.peerUp || !waitsForPeer(state)) return stay(state);
      return undo(state, peerLost(state));
    case "budget":
      if (state.phase === "switching") return undo(state, copyUnsafe(state));
      if (state.phase === "endingDisks") return disksLate(state);
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
      return isBack(state) || !state.qemuAlive ? settleUndo(state) : resumeHere(state);
    case "undo":
      if (state.phase !== "undoing") return stay(state);
      if (isBack(state)) return settled(state);
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
