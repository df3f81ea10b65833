/**
 * Chooses the next step of a running copy: go on, slow the guest down or let it go, switch, use post-copy, or give
 * up. Cheapest first, for the guest: a switch that fits the pause; another pass, while passes gain; throttling, within
 * the objective and only where it can help; post-copy, where the objective allows it. Every course ends: time without
 * a gain is bounded, and so is the time after the first pass as a whole.
 *
 * A link that is down or slow for a moment looks like a guest that became busy, since either way passes gain nothing.
 * The link's pace tells them apart: while it is far below its usual one nothing is held against the guest, a throttle is
 * taken back, and post-copy, which would leave a guest waiting for memory, is not begun.
 */
import type { MoveDecision } from "@godwit/contract";
import type { CopyDecision, CopyStep, NotConvergingBecause } from "../copy-decision.ts";
import { budgetShare, expectedOutageMs, type CopySample, type CopyState } from "../copy.ts";
import type { AutoState } from "./auto-state.ts";
import { dirtyBytesPerSecond, isPhased, isStuck, seePace, seePass } from "./passes.ts";
import { neededThrottle, throttleParameters } from "./throttle.ts";

/** Below this much transfer time another pass gains nothing. */
const negligibleTransferMs = 2;
const plateauRatio = 0.75;
const settleMs = 4_000;
/** Passes that leave much are seen for this long before it is concluded that it stays so: a flush of a database is over by then. */
const leastLookMs = 2_500;
/** Without a gain for as long as the first pass took, within these bounds, other means are used. */
const patienceMs = { least: 5_000, most: 30_000 } as const;
/** After the first pass all is over within three times what that took, or this. */
const leastLimitMs = 60_000;
/** What a slow link adds to that at most. */
const mostSlowMs = 120_000;
const maxBackOuts = 12;
/** A guest that would wait for its memory for longer than this is better off where it is. */
const mostExposureMs = 120_000;
/** Throttles that differ less than this are the same. */
const throttleStep = 0.03;

type SwitchBecause = Extract<MoveDecision, { kind: "switch" }>["because"];
type Because = Exclude<
  Extract<MoveDecision, { kind: "postcopy" }>["because"],
  "everythingSentOnce" | "halfOfTheOnlyRound"
>;

/** @param before of a copy of this strategy: with its `auto` */
export function decideAuto(before: CopyState, sample: CopySample): CopyStep {
  const { auto } = before;
  if (auto === null) throw new TypeError("the copy was not begun by this strategy");
  const slowBefore = auto.course.slowSinceMs;
  const course = seePace(auto.course, sample);
  const state: CopyState = { ...before, auto: { ...auto, course } };
  const over = timeIsUp(state, sample);
  if (over !== null) return switchAtLast(state, sample) ?? lastResort(state, sample, over);
  if (slowBefore === null && course.slowSinceMs !== null) return linkIsSlow(state, sample);
  if (!sample.passBegins || sample.round < 2 || sample.bytesPerSecond <= 0) return goOn(state);
  return atPass(state, sample);
}

const goOn = (state: CopyState): CopyStep => ({ state, decision: { kind: "continue" } });

const autoOf = ({ auto }: CopyState): AutoState => auto as AutoState;

/** Why the copy must end now by whatever means; null: it need not. */
function timeIsUp(state: CopyState, { atMs }: CopySample): Because | null {
  const { objective, beganAtMs, course } = autoOf(state);
  if (objective.deadlineMs !== null && atMs - beganAtMs >= objective.deadlineMs) return "deadline";
  if (course.firstPassMs === null) return null;
  const slowMs = course.slowMs + (course.slowSinceMs === null ? 0 : atMs - course.slowSinceMs);
  const limitMs = Math.max(leastLimitMs, 3 * course.firstPassMs) + Math.min(slowMs, mostSlowMs);
  return atMs - beganAtMs - course.firstPassMs >= limitMs ? "tooLong" : null;
}

/** The guest is not to blame, and slowing it down would help nobody. */
function linkIsSlow(state: CopyState, sample: CopySample): CopyStep {
  const auto = autoOf(state);
  const decision: MoveDecision = {
    kind: "linkSlow",
    bytesPerSecond: sample.bytesPerSecond,
    usualBytesPerSecond: auto.course.usualBytesPerSecond,
    throttle: 0,
  };
  return tune(state, sample, 0, decision);
}

function atPass(before: CopyState, sample: CopySample): CopyStep {
  const auto = autoOf(before);
  const course = seePass(auto.course, sample, auto.throttle, auto.beganAtMs);
  const seen: CopyState = { ...before, auto: { ...auto, course } };
  const expected = expectedOutageMs(seen, sample);
  if (expected === null) return goOn(seen);
  const isBetter = expected < seen.bestOutageMs * 0.95;
  const state: CopyState = {
    ...seen,
    lastPassBytes: sample.remainingBytes,
    ...(isBetter ? { bestOutageMs: expected, bestAtMs: sample.atMs, bestAtRound: sample.round } : {}),
  };
  if (expected <= state.maxOutageMs * budgetShare) return whereItFits(before, state, sample, expected);
  if (course.slowSinceMs !== null) return goOn(state);
  if (state.backOuts >= maxBackOuts) return lastResort(state, sample, "switchesBackedOut");
  return isStuck(course) && sample.atMs >= auto.settlesAtMs ? whereItIsStuck(state, sample) : goOn(state);
}

/** It fits: now, or after another pass that leaves less. A guest that works in bursts, or is held back, is not waited for. */
function whereItFits(
  { lastPassBytes }: CopyState,
  state: CopyState,
  sample: CopySample,
  expectedMs: number,
): CopyStep {
  if (sample.atMs < state.notBeforeMs) return goOn(state);
  const { course, throttle } = autoOf(state);
  const because = ((): SwitchBecause | null => {
    if (expectedMs - state.fixedMs <= negligibleTransferMs) return "nearlyNothingLeft";
    if (lastPassBytes !== null && sample.remainingBytes >= lastPassBytes * plateauRatio)
      return "noLongerShrinking";
    if (isPhased(course)) return "localMinimum";
    return throttle > 0 ? "throttled" : null;
  })();
  if (because === null) return goOn(state);
  return switchNow(state, sample, expectedMs, because);
}

/** Its time is over, and all its memory can go over within the pause: better than to split it, or to give up. Null: it cannot. */
function switchAtLast(state: CopyState, sample: CopySample): CopyStep | null {
  if (!sample.passBegins || sample.round < 2 || sample.bytesPerSecond <= 0) return null;
  if (sample.atMs < state.notBeforeMs || state.backOuts >= maxBackOuts) return null;
  const expectedMs = expectedOutageMs(state, sample);
  if (expectedMs === null || expectedMs > state.maxOutageMs * budgetShare) return null;
  return switchNow(state, sample, expectedMs, "timeIsUp");
}

function switchNow(
  state: CopyState,
  { round, remainingBytes }: CopySample,
  expectedOutageMs: number,
  because: SwitchBecause,
): CopyStep {
  const { maxOutageMs } = state;
  const decision = { kind: "switch", round, remainingBytes, because, expectedOutageMs, maxOutageMs } as const;
  return { state, decision: { kind: "switch", memory: "complete", decision } };
}

function whereItIsStuck(state: CopyState, sample: CopySample): CopyStep {
  const { objective, throttle, course } = autoOf(state);
  const dirty = dirtyBytesPerSecond(course);
  const needed = dirty === null ? 1 : neededThrottle(dirty, course.usualBytesPerSecond);
  const mayPostcopy = objective.postcopy === "lastResort";
  // Where nothing else is left, as much as is allowed may be enough after all.
  const wanted = needed <= objective.maxSlowdown || !mayPostcopy ? needed : 0;
  const next = Math.min(Math.max(wanted, throttle), objective.maxSlowdown);
  if (next > throttle + throttleStep && wanted > 0) {
    const decision: MoveDecision = {
      kind: "throttle",
      ...{ round: sample.round, remainingBytes: sample.remainingBytes, throttle: next },
      ...{ dirtyBytesPerSecond: dirty ?? 0, bytesPerSecond: course.usualBytesPerSecond },
      maxSlowdown: objective.maxSlowdown,
    };
    return tune(state, sample, next, decision);
  }
  const patience = Math.min(Math.max(course.firstPassMs ?? 0, patienceMs.least), patienceMs.most);
  // A guest that works in bursts may be quiet again soon.
  const spentMs = sample.atMs - state.bestAtMs;
  const isOver = spentMs >= (isPhased(course) ? patienceMs.most : patience);
  const isHopeless = spentMs >= leastLookMs && !isPhased(course) && needed > objective.maxSlowdown;
  if (mayPostcopy && isHopeless) return lastResort(state, sample, "throttlingWouldNotHelp");
  return isOver ? lastResort(state, sample, "noLongerShrinking") : goOn(state);
}

function tune(state: CopyState, sample: CopySample, throttle: number, note: MoveDecision): CopyStep {
  const auto = autoOf(state);
  const isSame = Math.abs(auto.throttle - throttle) < 0.005;
  const next: CopyState = {
    ...state,
    auto: { ...auto, throttle, settlesAtMs: isSame ? auto.settlesAtMs : sample.atMs + settleMs },
  };
  const parameters = isSame ? {} : throttleParameters(throttle);
  return { state: next, decision: { kind: "tune", parameters, decision: note } };
}

/** Ends the copy: by post-copy where that is allowed and the guest is better off with it. */
function lastResort(state: CopyState, sample: CopySample, because: Because): CopyStep {
  const { objective, course } = autoOf(state);
  const { round, remainingBytes } = sample;
  const giveUp = (why: NotConvergingBecause): CopyStep => {
    const decision: CopyDecision = {
      kind: "notConverging",
      bestMs: state.bestOutageMs,
      rounds: round,
      because: why,
    };
    return { state, decision };
  };
  if (objective.postcopy === "never")
    return giveUp(because === "throttlingWouldNotHelp" ? "noLongerShrinking" : because);
  const pace = course.slowSinceMs === null ? course.usualBytesPerSecond : sample.bytesPerSecond;
  const exposureMs = pace > 0 ? (remainingBytes / pace) * 1000 : Number.POSITIVE_INFINITY;
  if (exposureMs > mostExposureMs) return giveUp("postcopyWouldHurt");
  // A guest that was just let run again is not stopped at once.
  if (sample.atMs < state.notBeforeMs) return goOn(state);
  const decision = { kind: "postcopy", round, remainingBytes, because } as const;
  return { state, decision: { kind: "switch", memory: "split", decision } };
}
