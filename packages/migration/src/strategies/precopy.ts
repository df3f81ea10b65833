/**
 * Pre-copy: pass after pass over the memory while the guest runs, each sending what the guest has changed since the
 * one before. The guest is stopped at the beginning of a pass that fits the budget, and leaves next to nothing or no
 * less than the pass before it. A switch that takes too long after all is backed out, and the copy goes on. Without a
 * better forecast for long it does not converge, and the VM stays.
 */
import type { MoveDecision } from "@godwit/contract";
import { beginCopy, budgetShare, expectedOutageMs, type CopySample, type CopyState } from "../copy.ts";
import { qemuThrottleParameters } from "../auto/throttle.ts";
import {
  commonCapabilities,
  completeMemoryDestination,
  sourceParameters,
  unlessStalled,
  type CopyStep,
  type Strategy,
} from "./strategy.ts";

/** Below this much transfer time another pass gains nothing. */
const negligibleTransferMs = 2;
/** A pass that shrinks less than this is a plateau: waiting for a better moment is over. */
const plateauRatio = 0.75;
/** Patience without a better forecast, in rounds and time (both must pass); throttling needs rounds to bite. */
const patienceRounds = 40;
const patienceMs = 30_000;
const maxBackOuts = 12;

export const precopy: Strategy = {
  name: "precopy",
  requires: () => [],
  sourceSettings: (order) => ({
    capabilities: { ...commonCapabilities, "auto-converge": true, "postcopy-ram": false },
    parameters: { ...sourceParameters(order, 1), ...qemuThrottleParameters },
  }),
  destinationSettings: completeMemoryDestination,
  refusedAs: null,
  begin: (maxOutageMs, atMs, { trustedPasses }) => beginCopy(maxOutageMs, atMs, trustedPasses),
  decide: (before, sample) =>
    unlessStalled(before, sample, (state) => {
      const step = switchIfItFits(state, sample);
      return step.decision.kind === "continue" ? losePatience(step.state, sample) : step;
    }),
  qemuStopsGuest: () => false,
  splitsMemory: false,
  commitsOn: ["completed"],
};

/** Whether a sample tells all that is dirty: in the middle of a pass, pages changed behind its back are not counted. */
export const tellsAll = ({ passBegins, round, bytesPerSecond }: CopySample): boolean =>
  passBegins && round >= 2 && bytesPerSecond > 0;

/** Stops the guest where what is left fits the budget and waiting gains nothing more; learns from the sample else. */
export function switchIfItFits(state: CopyState, sample: CopySample): CopyStep {
  const expected = expectedOutageMs(state, sample);
  if (!tellsAll(sample) || expected === null) return { state, decision: { kind: "continue" } };
  const better = expected < state.bestOutageMs * 0.95;
  const next: CopyState = {
    ...state,
    lastPassBytes: sample.remainingBytes,
    ...(better ? { bestOutageMs: expected, bestAtMs: sample.atMs, bestAtRound: sample.round } : {}),
  };
  const mayTry = sample.atMs >= state.notBeforeMs && expected <= state.maxOutageMs * budgetShare;
  const because = mayTry ? reasonToSwitch(state, sample, expected - state.fixedMs) : null;
  if (because === null) return { state: next, decision: { kind: "continue" } };
  const { round, remainingBytes } = sample;
  const decision: MoveDecision = {
    kind: "switch",
    ...{ round, remainingBytes, because },
    ...{ expectedOutageMs: expected, maxOutageMs: state.maxOutageMs },
  };
  return { state: next, decision: { kind: "switch", memory: "complete", decision } };
}

function reasonToSwitch(
  { lastPassBytes }: CopyState,
  { remainingBytes }: CopySample,
  transferMs: number,
): Extract<MoveDecision, { kind: "switch" }>["because"] | null {
  if (transferMs <= negligibleTransferMs) return "nearlyNothingLeft";
  const isPlateau = lastPassBytes !== null && remainingBytes >= lastPassBytes * plateauRatio;
  return isPlateau ? "noLongerShrinking" : null;
}

/** Patience is counted where the forecast is: at the beginnings of passes. */
function losePatience(state: CopyState, sample: CopySample): CopyStep {
  const isOver =
    sample.round - state.bestAtRound >= patienceRounds && sample.atMs - state.bestAtMs >= patienceMs;
  const tired = tellsAll(sample) && (isOver || state.backOuts >= maxBackOuts);
  if (!tired) return { state, decision: { kind: "continue" } };
  return {
    state,
    decision: { kind: "notConverging", bestMs: state.bestOutageMs, rounds: sample.round },
  };
}
