/**
 * The destination's half of the handoff: a pure reducer. Its QEMU is started without leave to run, and
 * the guest is let run only on the source's `commit`. The lease alone is no leave: without a commit the
 * source may have let its guest run on. Once it has given up, its QEMU is ended and no later commit counts.
 */
import type { MoveOrder, Problem } from "@godwit/contract";
import { GodwitError } from "@godwit/contract";
import {
  destinationLimits,
  initialDestination,
  type DestinationEffect,
  type DestinationEntry,
  type DestinationInput,
  type DestinationOutcome,
  type DestinationPhase,
  type DestinationState,
  type DestinationStep,
  type DestinationTimer,
  type ObservedDestination,
} from "./destination-state.ts";
import type { ToDestination } from "./messages.ts";

/** A new move begins: journal first, then the effects. */
export function startDestination(order: MoveOrder): DestinationStep {
  return to(initialDestination(order), "preparing", [
    { do: "journal", entry: { at: "started", order } },
    { do: "prepare" },
  ]);
}

/** Where the destination stands after a restart: QEMU itself tells whether the guest was let run. */
export function restoreDestination(
  entries: readonly DestinationEntry[],
  observed: ObservedDestination,
): DestinationStep {
  const first = entries[0];
  const last = entries.at(-1);
  if (first?.at !== "started" || last === undefined) {
    throw new TypeError("a destination journal begins with started");
  }
  const state: DestinationState = {
    ...initialDestination(first.order),
    peerUp: false,
    listening: observed.listening,
    whole: observed.whole,
    streamBroken: observed.streamBroken,
  };
  if (last.at === "ended") {
    const problem = last.outcome.kind === "runs" ? null : last.outcome.problem;
    const ended: DestinationState = { ...state, phase: "ended", outcome: last.outcome, problem };
    return { state: ended, effects: [{ do: "finish", outcome: last.outcome }] };
  }
  if (last.at === "givingUp") {
    const isNeeded = first.order.strategy === "postcopy" && observed.qemuAlive && !observed.failed;
    if (isNeeded && !observed.streamBroken)
      return giveBackWith({ ...state, wasPrepared: true }, last.problem);
    return giveUpWith(state, last.problem);
  }
  if (last.at === "started") {
    if (observed.qemuAlive && observed.guestRuns) return resumed(state, 0);
    return giveUp(state, "the destination agent was restarted while preparing");
  }
  const prepared: DestinationState = { ...state, wasPrepared: true };
  const ranBefore = last.at === "running" || last.at === "pulling";
  if (observed.qemuAlive && (observed.guestRuns || ranBefore)) return resumed(prepared, 0);
  // Nobody can tell whether a commit had arrived: the source knows whether it had sent one.
  if (!observed.qemuAlive) return died(prepared, "it was gone when the agent came back");
  if (observed.failed) return giveUp(prepared, "QEMU could not load the VM's state");
  const waiting: DestinationEffect[] = [{ do: "arm", timer: "peer", afterMs: destinationLimits.peerLossMs }];
  if (observed.loaded) return loaded(prepared, waiting);
  return to(prepared, "receiving", waiting);
}

/** The next state and what is to be done, in order. An input that does not fit the phase changes nothing. */
export function stepDestination(state: DestinationState, input: DestinationInput): DestinationStep {
  switch (input.type) {
    case "message":
      return onMessage(state, input.message, input.atMs);
    case "prepared":
      if (state.phase !== "preparing") return stay(state);
      return onPrepared(state, { address: input.address, port: input.port });
    case "prepareFailed":
      if (state.phase !== "preparing") return stay(state);
      return giveUpWith(state, input.problem);
    case "loaded":
      if (state.phase !== "receiving") return stay(state);
      return loaded({ ...state, whole: input.whole }, []);
    case "whole":
      return onWhole({ ...state, whole: true, streamBroken: false });
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
      return resumed(state, input.commitToResumeMs);
    case "resumeFailed":
      return onResumeFailed(state, input.reason);
    case "qemuGone":
      return onQemuGone(state, input.reason);
    case "removed":
      if (state.phase === "died" && !state.qemuEnded) return hasDied(state);
      if (state.phase !== "givingUp" || state.problem === null) return stay(state);
      return stay({ ...state, removed: true }, [
        ...tell({ ...state, removed: true }),
        { do: "releaseLease" },
      ]);
    case "released":
      if (state.phase !== "givingUp" || state.problem === null) return stay(state);
      return finish(state, { kind: "gaveUp", problem: state.problem });
    case "superseded":
      if (state.phase !== "running") return stay(state);
      return finish(state, { kind: "runs" });
    case "leaseExclusive":
      // Only a source that was fenced leaves its lease to an uncommitted copy; its guest may have run on.
      if (state.phase === "receiving" || state.phase === "loaded")
        return giveUp(state, "the source's host is gone, and it had not committed");
      if (isPartly(state)) return kill(state, "the rest of its memory is lost with the source's host");
      if (state.phase === "running") return finish(state, { kind: "runs" });
      if (state.phase === "died" && state.qemuEnded && state.problem !== null) {
        const { state: ended, effects } = finish(state, { kind: "died", problem: state.problem });
        // Last, so that no ended move asks for it again; upkeep makes up for a release that is missed.
        return { state: ended, effects: [...effects, { do: "releaseLease" }] };
      }
      return stay(state);
    case "leaseRefused":
      return onLeaseRefused(state, input.held, input.sourceFresh);
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

function onPrepared(state: DestinationState, listening: { address: string; port: number }): DestinationStep {
  return to({ ...state, listening, wasPrepared: true }, "receiving", [
    { do: "journal", entry: { at: "prepared" } },
    { do: "send", message: { type: "prepared", ...listening } },
  ]);
}

function onJournalFailed(state: DestinationState, problem: Problem): DestinationStep {
  // The beginning could not be written, or that it is prepared: nobody has heard of it yet.
  if (state.phase === "preparing" || state.phase === "receiving") {
    return giveUpWith({ ...state, wasPrepared: false }, problem);
  }
  if (state.phase === "givingBack") {
    return stay({ ...state, unwritten: true }, [
      { do: "arm", timer: "retry", afterMs: destinationLimits.retryMs },
    ]);
  }
  if (state.phase !== "givingUp" || state.removed) return stay(state);
  if (!state.wasPrepared) return stay(state, endHere);
  return stay(state, [{ do: "arm", timer: "retry", afterMs: destinationLimits.retryMs }]);
}

function onMessage(state: DestinationState, message: ToDestination, atMs: number): DestinationStep {
  switch (message.type) {
    case "prepare":
      return stay(state, tell(state));
    case "commit":
      if (state.phase === "loaded") return start({ ...state, commitAtMs: atMs });
      if (state.phase === "receiving" && state.commitAtMs === null) {
        // What is missing is on its way, or its sender died before it was sent.
        return stay({ ...state, commitAtMs: atMs }, [
          { do: "arm", timer: "commit", afterMs: destinationLimits.commitMs },
        ]);
      }
      return stay(state, tell(state));
    case "abandon":
      // In `died` it is the proof that no commit was ever sent, so that nothing ran here.
      if (["preparing", "receiving", "loaded", "died"].includes(state.phase)) {
        return giveUp(state, "the source took the VM back");
      }
      if (state.phase === "givingBack") return endGivingBack(state);
      if (state.outcome?.kind === "died") {
        return stay(state, [{ do: "send", message: { type: "gaveUp", problem: state.outcome.problem } }]);
      }
      return stay(state, tell(state));
    case "gone":
      if (["preparing", "receiving", "loaded"].includes(state.phase)) {
        return giveUp(state, "the source's QEMU is gone, and it had not committed");
      }
      if (isPartly(state)) return kill(state, "the rest of its memory is lost with the source's QEMU");
      if (state.phase === "givingBack") return endGivingBack(state);
      return stay(state, tell(state));
    case "left":
      if (state.phase !== "running" && state.phase !== "died") return stay(state);
      return stay(state, [{ do: "exclusiveLease" }]);
    case "recover":
      return stay(state, isRecoverable(state) ? [{ do: "recoverStream" }] : tell(state));
  }
}

/** The source has lost its stream: a new one can be made, or what has not arrived never will. */
const isRecoverable = ({ phase, order }: DestinationState): boolean =>
  order.strategy === "postcopy" && ["receiving", "loaded", "starting", "pulling"].includes(phase);

/** What the source should know in this phase, said again. */
function tell(state: DestinationState): DestinationEffect[] {
  if (state.phase === "receiving" && state.listening !== null) {
    return [{ do: "send", message: { type: "prepared", ...state.listening } }];
  }
  if (state.phase === "running" || state.outcome?.kind === "runs") {
    return [{ do: "send", message: { type: "running", commitToResumeMs: state.commitToResumeMs ?? 0 } }];
  }
  if (state.phase === "loaded" && state.order.strategy === "postcopy")
    return [{ do: "send", message: { type: "ready" } }];
  if (state.phase === "pulling") return [sayPulling(state)];
  if (state.problem === null) return [];
  if (state.phase === "died" && !state.qemuEnded) return [];
  if (state.phase === "died" || state.outcome?.kind === "died") {
    return [{ do: "send", message: { type: "died", problem: state.problem } }];
  }
  if (state.phase === "givingBack" && !state.unwritten) return [sayGaveUp(state.problem)];
  if (state.removed || state.outcome?.kind === "gaveUp") {
    return [sayGaveUp(state.problem)];
  }
  return [];
}

const sayGaveUp = (problem: Problem): DestinationEffect => ({
  do: "send",
  message: { type: "gaveUp", problem },
});

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
  // Once `cont` was on its way the guest may have run, and may have been seen by others.
  if (state.phase === "starting" || state.phase === "pulling" || state.phase === "running")
    return died(state, reason);
  if (state.phase === "givingBack") return endGivingBack(state);
  return giveUp(state, reason);
}

function onLeaseRefused(state: DestinationState, held: boolean, sourceFresh: boolean): DestinationStep {
  if (state.phase === "pulling" || state.phase === "running" || state.phase === "died") {
    return stay(state, [{ do: "arm", timer: "retry", afterMs: destinationLimits.retryMs }]);
  }
  if (state.phase !== "receiving" && state.phase !== "loaded") return stay(state);
  // The source lives and holds the lease: it can take its VM back, and does so when this copy is gone. In a
  // post-copy it may not be able to, once this copy is gone: it says what it wants when it can be heard.
  if (held && sourceFresh && state.order.strategy !== "postcopy")
    return giveUp(state, "no commit came from the source");
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
      return giveBack(state, "the source was not heard of");
    case "commit":
      // `cont` itself may wait for memory that comes no more.
      if (state.phase === "starting" && !state.whole)
        return stay(state, [
          { do: "exclusiveLease" },
          { do: "arm", timer, afterMs: destinationLimits.retryMs },
        ]);
      if (state.phase === "receiving" && state.order.strategy !== "postcopy")
        return giveUp(state, "the VM's state never became complete");
      if (state.phase !== "receiving" && state.phase !== "loaded") return stay(state);
      return stay(state, [...tell(state), { do: "exclusiveLease" }]);
    case "retry":
      if (state.phase === "starting") return start(state);
      if (state.phase === "pulling" || state.phase === "running" || state.phase === "died")
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

function loaded(state: DestinationState, effects: readonly DestinationEffect[]): DestinationStep {
  if (state.commitAtMs !== null) return start(state);
  return to(state, "loaded", [
    ...tell({ ...state, phase: "loaded" }),
    ...effects,
    { do: "arm", timer: "commit", afterMs: destinationLimits.commitMs },
  ]);
}

function start(state: DestinationState): DestinationStep {
  return to({ ...state, resumeAttempts: state.resumeAttempts + 1 }, "starting", [
    { do: "resumeVcpus" },
    state.whole
      ? { do: "disarm", timer: "commit" }
      : { do: "arm", timer: "commit", afterMs: destinationLimits.commitMs },
    { do: "disarm", timer: "peer" },
  ]);
}

/** The guest runs here, or is on its way to, without all its memory. */
const isPartly = ({ phase, whole }: DestinationState): boolean =>
  phase === "pulling" || (phase === "starting" && !whole);

/** The guest runs here. */
function resumed(before: DestinationState, commitToResumeMs: number): DestinationStep {
  const state = { ...before, commitToResumeMs };
  if (state.whole) return runs(state, [{ do: "announce" }]);
  return to(state, "pulling", [
    sayPulling(state),
    { do: "announce" },
    { do: "journal", entry: { at: "pulling" } },
    { do: "arm", timer: "retry", afterMs: destinationLimits.retryMs },
  ]);
}

/** With all its memory: the source is needed no more. */
function runs(state: DestinationState, effects: readonly DestinationEffect[]): DestinationStep {
  return to(state, "running", [
    { do: "send", message: { type: "running", commitToResumeMs: state.commitToResumeMs ?? 0 } },
    ...effects,
    { do: "journal", entry: { at: "running" } },
    { do: "arm", timer: "retry", afterMs: destinationLimits.retryMs },
  ]);
}

const sayPulling = ({ streamBroken, commitToResumeMs }: DestinationState): DestinationEffect => ({
  do: "send",
  message: streamBroken ? { type: "broken" } : { type: "pulling", commitToResumeMs: commitToResumeMs ?? 0 },
});

const onWhole = (state: DestinationState): DestinationStep =>
  state.phase === "pulling" ? runs(state, []) : stay(state);

function onStreamBroken(state: DestinationState): DestinationStep {
  if (state.phase === "pulling") return stay(state, [sayPulling(state)]);
  return state.phase === "givingBack" ? endGivingBack(state) : stay(state);
}

/**
 * Gives the VM up. In a post-copy the source cannot take it back once the stream is broken: it is told first, and
 * QEMU is ended here when the source has ended the copy, or does not. That the guest never runs here is written
 * down before.
 */
function giveBack(state: DestinationState, reason: string): DestinationStep {
  if (state.order.strategy !== "postcopy") return giveUp(state, reason);
  return giveBackWith(state, destinationFailed(state, reason));
}

function giveBackWith(state: DestinationState, problem: Problem): DestinationStep {
  return to({ ...state, problem, unwritten: false }, "givingBack", [
    { do: "disarm", timer: "commit" },
    { do: "disarm", timer: "peer" },
    { do: "journal", entry: { at: "givingUp", problem } },
    sayGaveUp(problem),
    { do: "arm", timer: "retry", afterMs: destinationLimits.giveBackMs },
  ]);
}

function endGivingBack(state: DestinationState): DestinationStep {
  if (state.problem === null) throw new TypeError("a VM that is given back has a reason");
  return giveUpWith(state, state.problem);
}

function died(state: DestinationState, reason: string): DestinationStep {
  const step = kill(state, reason);
  const { state: died, effects } = hasDied(step.state);
  return { state: died, effects: [...step.effects, ...effects] };
}

/** Its guest cannot go on: QEMU is ended, and only then is anybody told, or the lease asked. */
function kill(state: DestinationState, reason: string): DestinationStep {
  const details = { vm: state.order.vm.name, host: state.order.to.host, reason };
  const { problem } = GodwitError.of("MOVE_VM_LOST", details);
  return to({ ...state, problem }, "died", [{ do: "remove" }]);
}

function hasDied(before: DestinationState): DestinationStep {
  const state = { ...before, qemuEnded: true };
  return stay(state, [...tell(state), { do: "exclusiveLease" }]);
}

function giveUp(state: DestinationState, reason: string): DestinationStep {
  return giveUpWith(state, destinationFailed(state, reason));
}

const destinationFailed = ({ order }: DestinationState, reason: string): Problem =>
  GodwitError.of("MOVE_DESTINATION_FAILED", { vm: order.vm.name, host: order.to.host, reason }).problem;

const endHere: readonly DestinationEffect[] = [
  { do: "remove" },
  { do: "disarm", timer: "commit" },
  { do: "disarm", timer: "peer" },
];

function giveUpWith(state: DestinationState, problem: Problem): DestinationStep {
  return to({ ...state, problem }, "givingUp", [
    { do: "journal", entry: { at: "givingUp", problem } },
    ...endHere,
  ]);
}

function finish(state: DestinationState, outcome: DestinationOutcome): DestinationStep {
  return to({ ...state, outcome }, "ended", [
    { do: "disarm", timer: "retry" },
    { do: "journal", entry: { at: "ended", outcome } },
    { do: "finish", outcome },
  ]);
}

function to(
  state: DestinationState,
  phase: DestinationPhase,
  effects: readonly DestinationEffect[],
): DestinationStep {
  return { state: { ...state, phase }, effects };
}

function stay(state: DestinationState, effects: readonly DestinationEffect[] = []): DestinationStep {
  return { state, effects };
}
