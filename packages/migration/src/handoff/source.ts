/**
 * The source's half of the handoff: a pure reducer. It alone decides when the guest is stopped, when
 * the right to run is given away (`commit`), and when the guest may be resumed here.
 *
 * Safety: after `commit` was sent, vCPUs run here again only if the destination has given up or the
 * exclusive lease was granted. The copy here is thrown away only when the destination is known to run, with
 * all its memory. Every wait has a timer and a next step.
 */
import type { Problem } from "@godwit/contract";
import {
  backedOut,
  beginCopy,
  decideCopy,
  isTrusted,
  repeatedPassesLose,
  type CopySample,
  type CopyState,
} from "../copy.ts";
import type { ToSource } from "./messages.ts";
import {
  initialSource,
  isCancellable,
  sourceLimits,
  type ObservedSource,
  type SourceEffect,
  type SourceEntry,
  type SourceInput,
  type SourceState,
  type SourceStep,
  type SourceTimer,
} from "./source-state.ts";
import {
  notWritten,
  onBroken,
  onCopyStuck,
  onPostcopyActive,
  onStreamBroken,
  serve,
  watchStream,
} from "./source-stream.ts";
import {
  commit,
  copyFailed,
  copyIsOver,
  copyUnsafe,
  hasCommitted,
  leave,
  left,
  lose,
  peerLost,
  prepareLate,
  problemOf,
  recover,
  repeatAbandon,
  resumeHere,
  sayCommit,
  settleUndo,
  settled,
  stay,
  staysHere,
  to,
  undo,
} from "./source-turns.ts";

/**
 * Where the source stands after a restart. A commit is only ever sent after QEMU's `completed`, or in a post-copy
 * that was written down, so what QEMU says decides whether one may have been sent: without either the VM is taken
 * back, with one the commit is repeated, which is harmless. A QEMU that is gone says nothing: a commit may have been sent,
 * or the guest may have run on here, so the destination goes on only if it has heard one.
 */
export function restoreSource(entries: readonly SourceEntry[], observed: ObservedSource): SourceStep {
  const first = entries[0];
  const last = entries.at(-1);
  if (first?.at !== "started" || last === undefined)
    throw new TypeError("a source journal begins with started");
  const state: SourceState = {
    ...initialSource(first.order, observed.qemuVersion),
    phase: "preparing", // at least: the destination may know of the move
    qemuAlive: observed.qemuAlive,
    guestRuns: observed.guestRuns,
  };
  if (last.at === "ended") {
    const ended: SourceState = { ...state, phase: "ended", outcome: last.outcome };
    return { state: ended, effects: [last.outcome.kind === "stayed" ? repeatAbandon : { do: "close" }] };
  }
  if (last.at === "leaving") return leave(state, last.died);
  if (last.at === "undoing") {
    const partial = first.order.strategy === "postcopy";
    // Should it turn out that it cannot be undone, its stream is looked at.
    const copy = partial ? beginFor(state, 0) : null;
    return observed.qemuAlive
      ? undo({ ...state, partial, copy }, last.problem)
      : lose(state, "it was gone when the agent came back");
  }
  // A guest that runs here was resumed here, whatever QEMU says of an earlier copy.
  const hasCopied = last.at === "copying" || last.at === "postcopy";
  if (hasCopied && !observed.qemuAlive) return commit({ ...state, barred: true });
  if (hasCopied && !observed.guestRuns) {
    if (observed.copyCompleted) return commit(state);
    if (observed.postcopy !== null) {
      const copy = beginFor(state, 0); // looks at the stream go on
      return commit({ ...state, copy, partial: true, streamBroken: observed.postcopy === "broken" });
    }
    // It may have been committed and have failed since, which QEMU does not tell apart from one that was not: the
    // destination is asked to give up, and says whether its guest ran.
    if (last.at === "postcopy" && observed.copyFailed)
      return commit({ ...state, barred: true, partial: true });
  }
  if (!observed.qemuAlive) return lose(state, "it was gone when the agent came back");
  return undo(
    state,
    problemOf("MOVE_COPY_FAILED", { vm: first.order.vm.name, reason: "the source agent was restarted" }),
  );
}

/** The next state and what is to be done, in order. An input that does not fit the phase changes nothing. */
export function stepSource(state: SourceState, input: SourceInput): SourceStep {
  switch (input.type) {
    case "start":
      return to(state, "sharing", [
        { do: "journal", entry: { at: "started", order: state.order } },
        { do: "shareLease" },
        { do: "arm", timer: "prepare", afterMs: sourceLimits.prepareMs },
      ]);
    case "leaseShared":
      if (state.phase !== "sharing") return stay(state);
      return to(state, "preparing", [{ do: "send", message: { type: "prepare", order: state.order } }]);
    case "leaseExclusive":
      return onExclusive(state, input.fenced);
    case "leaseRefused":
      return onLeaseRefused(state, input.problem);
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
        { do: "note", text: `the guest could not be resumed yet: ${input.reason}` },
        { do: "arm", timer: "retry", afterMs: sourceLimits.retryMs },
      ]);
    case "qemuGone":
      return onQemuGone({ ...state, qemuAlive: false, guestRuns: false }, input.reason);
    case "removed":
      if (state.phase !== "leaving") return stay(state);
      return stay({ ...state, qemuAlive: false }, [{ do: "releaseLease" }]);
    case "released":
      if (state.phase !== "leaving") return stay(state);
      return left(state);
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
      if (hasCommitted(state)) return leave(state, null);
      return stay(state, state.phase === "ended" ? [{ do: "send", message: { type: "left" } }] : []);
    case "ready":
      return state.phase === "switching" && state.partial ? commit(state) : stay(state);
    case "pulling":
      return state.phase === "committed" ? serve(state) : stay(state);
    case "broken":
      return onBroken(state);
    case "recovering":
      if (!hasCommitted(state) || !state.streamBroken) return stay(state);
      return stay(state, [{ do: "resumeStream", address: message.address, port: message.port }]);
    case "died":
      // Without a commit it cannot have run: the same as giving up. With one, this copy is out of date.
      if (hasCommitted(state)) return leave(state, message.problem);
      if (state.phase === "leaving") return stay(state);
      // It keeps its lease until it hears that there was no commit.
      if (staysHere(state)) return stay(state, [{ do: "send", message: { type: "abandon" } }]);
      return state.phase === "ended" ? stay(state) : undo(state, message.problem);
    case "gaveUp":
      return onGaveUp({ ...state, destinationGone: true }, message.problem);
  }
}

function onGaveUp(state: SourceState, problem: Problem): SourceStep {
  if (state.phase === "ended") {
    return stay(state, [{ do: "disarm", timer: "retry" }, { do: "exclusiveLease" }, { do: "close" }]);
  }
  if (state.phase === "leaving" || state.phase === "serving") return stay(state);
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

function onSample(state: SourceState, sample: CopySample, peerFresh: boolean): SourceStep {
  if (state.copy === null) return stay(state);
  if (hasCommitted(state) && state.partial) return watchStream(state, state.copy, sample);
  if (state.phase !== "copying") return stay(state);
  const { state: copy, decision } = decideCopy(state.copy, sample);
  const next = { ...state, copy };
  switch (decision.kind) {
    case "continue":
      return stay(next);
    case "switch":
      // A destination that was not heard of lately could not start in time: do not even stop the guest.
      if (!peerFresh || !state.peerUp) return stay(next);
      // From now on it is not known to run, though STOP has not been heard yet.
      return to({ ...next, guestRuns: false, pausedAtMs: sample.atMs }, "pausing", [
        { do: "pauseVcpus" },
        {
          do: "arm",
          timer: "budget",
          afterMs: Math.max(1, state.order.maxOutageMs - sourceLimits.reserveMs),
        },
        { do: "note", text: `switch: ${decision.reason}` },
      ]);
    case "postcopy":
      if (!peerFresh || !state.peerUp) return stay(next);
      // Stopped here, and not by QEMU, which would let the guest run by itself when the copy fails.
      return to({ ...next, partial: true, guestRuns: false, pausedAtMs: sample.atMs }, "pausing", [
        { do: "journal", entry: { at: "postcopy" } },
        { do: "pauseVcpus" },
        { do: "startPostcopy" },
        { do: "arm", timer: "budget", afterMs: sourceLimits.switchMs },
        { do: "note", text: `post-copy: ${decision.reason}` },
      ]);
    case "unsafe":
      return undo(next, copyUnsafe(state));
    case "stalled": {
      const seconds = String(Math.round(decision.forMs / 1000));
      return undo(next, copyFailed(state, `nothing was sent for ${seconds} s; is the migration network up?`));
    }
    case "notConverging":
      return undo(
        next,
        problemOf("MOVE_NOT_CONVERGING", {
          vm: state.order.vm.name,
          maxOutageMs: state.order.maxOutageMs,
          bestMs: Number.isFinite(decision.bestMs) ? decision.bestMs : state.order.maxOutageMs,
          rounds: decision.rounds,
          backOuts: copy.backOuts,
        }),
      );
  }
}

function onPreSwitchover(state: SourceState, atMs: number): SourceStep {
  if (state.phase !== "pausing" && state.phase !== "copying") return stay(state);
  const next = { ...state, guestRuns: false, pausedAtMs: state.pausedAtMs ?? atMs };
  // The back-out and QEMU's last step crossed: `cont` is on its way, so what would be sent is not final.
  if (state.resuming) return undo(next, copyFailed(state, "the switch took longer than the budget"));
  // The last veto: without the destination on the line nothing is finished.
  if (!state.peerUp) return undo(next, peerLost(state));
  if (state.copy !== null && !isTrusted(state.copy, state.passAtStop)) return undo(next, copyUnsafe(state));
  // How much is left to send of a single-pass copy is known only now: the budget goes on counting.
  const spentMs = atMs - next.pausedAtMs;
  const budget: SourceEffect =
    state.copy?.singlePass && !state.partial
      ? {
          do: "arm",
          timer: "budget",
          afterMs: Math.max(1, state.order.maxOutageMs - sourceLimits.reserveMs - spentMs),
        }
      : { do: "disarm", timer: "budget" };
  return to(next, "switching", [
    { do: "continueSwitchover" },
    budget,
    { do: "arm", timer: "switch", afterMs: sourceLimits.switchMs },
  ]);
}

function onCompleted(state: SourceState): SourceStep {
  if (hasCommitted(state)) return stay({ ...state, partial: false });
  if (state.phase === "switching") return commit({ ...state, partial: false });
  // QEMU never finishes without leave; should it, nobody knows what the guest did meanwhile.
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
  if (hasCommitted(state) && state.partial) {
    const barred = { ...state, barred: true, streamBroken: false };
    return stay(barred, [{ do: "disarm", timer: "retry" }, sayCommit(barred)]);
  }
  if (state.phase === "copying" || state.phase === "pausing" || state.phase === "switching") {
    return undo(state, problemOf("MOVE_COPY_FAILED", { vm: state.order.vm.name, reason }));
  }
  return stay(state);
}

function onResumed(state: SourceState): SourceStep {
  const next = { ...state, guestRuns: true, resuming: false, pausedAtMs: null };
  if (state.phase === "undoing") return settleUndo(next);
  return stay(next);
}

function onExclusive(state: SourceState, fenced: boolean): SourceStep {
  // Nobody else holds the lease. Who gave it back never ran; who was fenced may have run, and been seen by
  // others and by the disks: this copy is then out of date, and no better than a VM whose host has died.
  if (state.phase === "serving" || (state.phase === "committed" && fenced)) {
    const reason = fenced
      ? "its host was fenced before it had said that it has the VM whole"
      : "it gave the VM's lease back before it had all of the VM's memory";
    const details = { vm: state.order.vm.name, host: state.order.to.host, reason };
    return leave(state, problemOf("MOVE_VM_LOST", details));
  }
  if (state.phase === "committed") {
    if (!state.qemuAlive) return lose(state, "its process ended and the destination has no copy");
    return undo(
      { ...state, destinationGone: true },
      problemOf("MOVE_DESTINATION_FAILED", {
        vm: state.order.vm.name,
        host: state.order.to.host,
        reason: "it no longer holds the VM's lease",
      }),
    );
  }
  if (state.phase === "undoing") return settleUndo({ ...state, destinationGone: true });
  return stay(state);
}

function onLeaseRefused(state: SourceState, problem: Problem): SourceStep {
  if (state.phase === "sharing") return undo(state, problem);
  if (state.phase === "undoing")
    return stay(state, [{ do: "arm", timer: "retry", afterMs: sourceLimits.retryMs }]);
  // In `committed` its own timer asks again.
  return stay(state);
}

function onQemuGone(state: SourceState, reason: string): SourceStep {
  switch (state.phase) {
    case "leaving":
    case "ended":
      return stay(state);
    case "committed":
    case "serving":
      return stay(state, state.partial ? [sayCommit(state)] : []);
    case "sharing":
    case "preparing":
      return lose(state, reason);
    case "copying":
    case "pausing":
      // A destination that may wait for long is told that there is nothing to wait for.
      return commit({ ...state, barred: state.order.strategy === "postcopy" });
    case "switching":
      // The destination may have everything already; this side can never run again, so it may be told to go on.
      return commit({ ...state, barred: state.partial });
    case "undoing":
      return lose(state, reason);
  }
}

function onTimer(state: SourceState, timer: SourceTimer, atMs: number): SourceStep {
  switch (timer) {
    case "prepare":
      if (state.phase !== "sharing" && state.phase !== "preparing") return stay(state);
      return undo(state, state.peerUp ? prepareLate(state) : peerLost(state));
    case "peer":
      if (state.peerUp || (state.phase !== "preparing" && state.phase !== "copying")) return stay(state);
      return undo(state, peerLost(state));
    case "budget":
      if (state.phase === "switching") return undo(state, copyUnsafe(state));
      if (state.phase === "pausing" && state.partial)
        return undo(state, copyFailed(state, "QEMU did not begin post-copy in time"));
      return backOut(state, atMs);
    case "switch":
      if (state.phase !== "switching") return stay(state);
      return undo(
        state,
        problemOf("MOVE_COPY_FAILED", {
          vm: state.order.vm.name,
          reason: "the final state was not taken in time",
        }),
      );
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
  const pausedMs = atMs - state.pausedAtMs;
  return to({ ...state, copy: backedOut(state.copy, atMs, pausedMs), resuming: true }, "copying", [
    { do: "resumeVcpus" },
    {
      do: "note",
      text: `switch backed out after ${pausedMs.toFixed(0)} ms: the budget would have been passed`,
    },
  ]);
}

const beginFor = ({ order, qemuVersion }: SourceState, atMs: number): CopyState =>
  beginCopy(order.maxOutageMs, atMs, {
    singlePass: repeatedPassesLose(order.accelerator, qemuVersion),
    mayPostcopy: order.strategy === "postcopy",
  });
