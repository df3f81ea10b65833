/**
 * The transitions that a move makes at its destination: it starts the guest, gives up, gives back, is over. Each is a
 * phase with what is done on the way into it; when each is right, {@link stepDestination} decides.
 */
import { GodwitError, type Problem } from "@godwit/contract";
import { requestedStrategy } from "../strategies/choose.ts";
import {
  destinationLimits,
  type DestinationEffect,
  type DestinationOutcome,
  type DestinationState,
  type DestinationStep,
} from "./destination-state.ts";
import { answerOfEnded } from "./ended-move.ts";
import type { StartTimes, ToDestination, ToSource } from "./messages.ts";
import { enterDestinationPhase, type DestinationPhase } from "./phases.ts";

/** Whether the guest may be let run here before all its memory has arrived. */
export const splitsMemory = ({ order }: DestinationState): boolean => requestedStrategy(order).splitsMemory;

/**
 * What the source should know in this phase, said again. @param heard the message that asks; null: none does
 */
export function tell(
  state: DestinationState,
  heard: ToDestination["type"] | null = null,
): DestinationEffect[] {
  switch (state.phase) {
    case "receiving":
      return state.listening === null ? [] : says({ type: "prepared", ...state.listening });
    case "loaded":
      // With all its memory here it was no post-copy: only the source's QEMU knows whether it can still fail there.
      return splitsMemory(state) && !state.memoryComplete ? says({ type: "ready" }) : [];
    case "postcopyReceiving":
      return state.unwritten ? [] : says(postcopyReceiving(state));
    case "running":
      return state.unwritten ? [] : says(running(state));
    case "died":
      return state.qemuEnded && state.problem !== null ? says({ type: "died", problem: state.problem }) : [];
    case "givingBack":
      return state.problem === null || state.unwritten
        ? []
        : says({ type: "gaveUp", problem: state.problem });
    case "givingUp":
      return state.problem === null || !state.removed ? [] : says({ type: "gaveUp", problem: state.problem });
    case "ended": {
      if (state.outcome === null || state.outcome.kind === "runs") return says(running(state));
      const answer = answerOfEnded(state.outcome, heard);
      return answer === null ? [] : says(answer);
    }
    case "preparing":
    case "starting":
    case "restarted":
      return [];
  }
}

const says = (message: ToSource): DestinationEffect[] => [{ do: "send", message }];

const running = (state: DestinationState): ToSource => ({
  type: "running",
  ...timesOf(state),
  ...(state.waited === null ? {} : { waited: state.waited }),
});

const postcopyReceiving = (state: DestinationState): ToSource =>
  state.streamBroken ? { type: "streamLost" } : { type: "postcopyReceiving", ...timesOf(state) };

const timesOf = ({ commitToResumeMs, start }: DestinationState) => ({
  commitToResumeMs: commitToResumeMs ?? 0,
  ...(start === null ? {} : { start }),
});

export function loaded(state: DestinationState, effects: readonly DestinationEffect[]): DestinationStep {
  if (state.commitAtMs !== null) return start(state);
  return to(state, "loaded", [
    ...tell({ ...state, phase: "loaded" }),
    ...effects,
    { do: "arm", timer: "commit", afterMs: destinationLimits.commitMs },
  ]);
}

/** Whether the disks move with the VM. */
export const movesDisks = ({ order }: DestinationState): boolean => order.storage !== undefined;

export function start(state: DestinationState): DestinationStep {
  const takesOver = movesDisks(state) && !state.tookOver;
  const next = { ...state, tookOver: movesDisks(state), resumeAttempts: state.resumeAttempts + 1 };
  return to(next, "starting", [
    ...(takesOver ? [{ do: "journal", entry: { at: "takingOver" } } as const] : []),
    { do: state.pauseReason === null ? "resumeVcpus" : "activateDisks" },
    state.memoryComplete
      ? { do: "disarm", timer: "commit" }
      : { do: "arm", timer: "commit", afterMs: destinationLimits.commitMs },
    { do: "disarm", timer: "peer" },
  ]);
}

/** The guest runs here, or is on its way to, without all its memory. */
export const isSplit = ({ phase, memoryComplete }: DestinationState): boolean =>
  phase === "postcopyReceiving" || (phase === "starting" && !memoryComplete);

/** The guest runs here, or stands still as it did at the source. @param commitToResumeMs 0 where nobody measured it */
export function resumed(
  before: DestinationState,
  commitToResumeMs: number,
  start: StartTimes | null,
): DestinationStep {
  const state = { ...before, commitToResumeMs, start, unwritten: false };
  if (state.memoryComplete) return runs(state, [{ do: "announce" }]);
  return to(state, "postcopyReceiving", [
    ...arrived(state),
    ...says(postcopyReceiving(state)),
    { do: "announce" },
    { do: "journal", entry: { at: "postcopyReceiving" } },
    { do: "arm", timer: "retry", afterMs: destinationLimits.retryMs },
  ]);
}

/** That a guest runs here, QEMU tells; of one that stands still it is written down before it is said. */
const arrived = ({ pauseReason }: DestinationState): DestinationEffect[] =>
  pauseReason === null ? [] : [{ do: "journal", entry: { at: "arrived", pauseReason } }];

/** With all its memory: the source is needed no more. */
export function runs(before: DestinationState, effects: readonly DestinationEffect[]): DestinationStep {
  const state = { ...before, unwritten: false };
  return to(state, "running", [
    ...arrived(state),
    ...says(running(state)),
    ...effects,
    { do: "journal", entry: { at: "running" } },
    { do: "arm", timer: "retry", afterMs: destinationLimits.retryMs },
  ]);
}

/**
 * Gives the VM up. Where memory is split the source cannot take it back once the stream is broken: it is told first,
 * and QEMU is ended here when the source has ended the copy, or does not. That the guest never runs here is written
 * down before.
 */
export function giveBack(state: DestinationState, reason: string): DestinationStep {
  if (!splitsMemory(state)) return giveUp(state, reason);
  return giveBackWith(state, destinationFailed(state, reason));
}

export function giveBackWith(state: DestinationState, problem: Problem): DestinationStep {
  return to({ ...state, problem, unwritten: false }, "givingBack", [
    { do: "disarm", timer: "commit" },
    { do: "disarm", timer: "peer" },
    { do: "journal", entry: { at: "givingUp", problem } },
    ...says({ type: "gaveUp", problem }),
    { do: "arm", timer: "retry", afterMs: destinationLimits.giveBackMs },
  ]);
}

export function endGivingBack(state: DestinationState): DestinationStep {
  if (state.problem === null) throw new TypeError("a VM that is given back has a reason");
  return giveUpWith(state, state.problem);
}

export function died(state: DestinationState, reason: string): DestinationStep {
  const step = kill(state, reason);
  const { state: died, effects } = hasDied(step.state);
  return { state: died, effects: [...step.effects, ...effects] };
}

/** Its guest cannot go on: QEMU is ended, and only then is anybody told, or the lease asked. */
export function kill(state: DestinationState, reason: string): DestinationStep {
  const details = { vm: state.order.vm.name, host: state.order.to.host, reason };
  const { problem } = GodwitError.of("MOVE_VM_LOST", details);
  return to({ ...state, problem }, "died", [{ do: "remove" }]);
}

export function hasDied(before: DestinationState): DestinationStep {
  const state = { ...before, qemuEnded: true };
  return stay(state, [...tell(state), { do: "exclusiveLease" }]);
}

export function giveUp(state: DestinationState, reason: string): DestinationStep {
  return giveUpWith(state, destinationFailed(state, reason));
}

const destinationFailed = ({ order }: DestinationState, reason: string): Problem =>
  GodwitError.of("MOVE_DESTINATION_FAILED", { vm: order.vm.name, host: order.to.host, reason }).problem;

export const endHere: readonly DestinationEffect[] = [
  { do: "remove" },
  { do: "disarm", timer: "commit" },
  { do: "disarm", timer: "peer" },
];

export function giveUpWith(state: DestinationState, problem: Problem): DestinationStep {
  return to({ ...state, problem }, "givingUp", [
    { do: "journal", entry: { at: "givingUp", problem } },
    ...endHere,
  ]);
}

export function finish(state: DestinationState, outcome: DestinationOutcome): DestinationStep {
  return to({ ...state, outcome }, "ended", [
    { do: "disarm", timer: "retry" },
    { do: "journal", entry: { at: "ended", outcome } },
    { do: "finish", outcome },
  ]);
}

/** @throws UnlistedTransition */
export function to(
  state: DestinationState,
  phase: DestinationPhase,
  effects: readonly DestinationEffect[],
): DestinationStep {
  return { state: enterDestinationPhase(state, phase), effects };
}

export function stay(state: DestinationState, effects: readonly DestinationEffect[] = []): DestinationStep {
  return { state, effects };
}
