/**
 * Chooses the next step of a running copy: go on, slow the guest down or let it go, switch, use post-copy, or give
 * up. Cheapest first, for the guest: a switch as soon as it fits the pause, but for a pass or two that make the pause
 * shorter in next to no time; another pass, while passes gain; throttling, within the objective and only where it can
 * help; post-copy, where the objective allows it. Every course ends: time without a gain is bounded, and so is the time
 * after the first pass as a whole.
 *
 * A link that is down or slow for a moment looks like a guest that became busy, since either way passes gain nothing.
 * The link's pace tells them apart: while it is far below its usual one nothing is held against the guest, a throttle is
 * taken back, and post-copy, which would leave a guest waiting for memory, is not begun. A host that has no processor to
 * spare looks like a slow link, but for the link, which is idle then: nothing follows from that.
 */
import type { MoveDecision } from "@godwit/contract";
import type { CopyDecision, CopyStep, NotConvergingBecause } from "../copy-decision.ts";
import { budgetShare, expectedOutageMs, type CopySample, type CopyState } from "../copy.ts";
import type { AutoState } from "./auto-state.ts";
import {
  dirtyBytesPerSecond,
  isPhased,
  isStarved,
  isStuck,
  stuckSinceMs,
  seePace,
  seePass,
  type Course,
} from "./passes.ts";
import { catchUpMs, neededThrottle, throttleParameters } from "./throttle.ts";

/** Below this much transfer time, or this share of the pause that is allowed, another pass gains nothing. */
const negligibleTransferMs = 2;
const negligibleShare = 0.05;
/** What fits could go over now: passes for a shorter pause may take this share of the time that the copy has taken. */
const polishShare = 0.05;
/** QEMU looks for changes between two passes, which takes a while on a busy machine. */
const leastPassMs = 20;
/** A pass that leaves more of the one before is not worth its time. */
const plateauRatio = 0.5;
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
/** Of the link's usual pace: what a switch can count on where a host had no processor to spare. */
const starvedShare = 0.6;
/** A guest that is held back for longer than this loses more than by waiting for its memory. */
const mostCatchUpMs = 5_000;

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

/** A processor that QEMU waited for just now is there again a moment later; what the link carries is known. */
function atUsualPace(sample: CopySample, { usualBytesPerSecond: usual }: Course): CopySample {
  if (!isStarved(sample)) return sample;
  return { ...sample, bytesPerSecond: Math.max(sample.bytesPerSecond, usual * starvedShare) };
}

function atPass(before: CopyState, seenSample: CopySample): CopyStep {
  const auto = autoOf(before);
  const sample = atUsualPace(seenSample, auto.course);
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

/** It fits: now, or after another pass that leaves less, where that costs the copy next to no time. */
function whereItFits(
  { lastPassBytes }: CopyState,
  state: CopyState,
  sample: CopySample,
  expectedMs: number,
): CopyStep {
  if (sample.atMs < state.notBeforeMs) return goOn(state);
  const auto = autoOf(state);
  const fitsSinceMs = auto.fitsSinceMs ?? sample.atMs;
  const fitting: CopyState = { ...state, auto: { ...auto, fitsSinceMs } };
  const transferMs = expectedMs - state.fixedMs;
  const because = ((): SwitchBecause | null => {
    if (transferMs <= Math.max(negligibleTransferMs, state.maxOutageMs * negligibleShare))
      return "nearlyNothingLeft";
    if (sample.remainingBytes >= (lastPassBytes ?? sample.transferredBytes) * plateauRatio)
      return "noLongerShrinking";
    if (isPhased(auto.course)) return "localMinimum";
    if (auto.throttle > 0) return "throttled";
    const spentMs = sample.atMs - fitsSinceMs + Math.max(transferMs, leastPassMs);
    return spentMs > (fitsSinceMs - auto.beganAtMs) * polishShare ? "fits" : null;
  })();
  if (because === null) return goOn(fitting);
  return switchNow(fitting, sample, expectedMs, because);
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
  const helps = needed <= objective.maxSlowdown || throttlingEnds(state, sample, dirty);
  const wanted = helps || !mayPostcopy ? needed : 0;
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
  const seenMs = sample.atMs - (stuckSinceMs(course) ?? sample.atMs);
  const isHopeless = Math.max(spentMs, seenMs) >= leastLookMs && !isPhased(course) && !helps;
  if (mayPostcopy && isHopeless) return lastResort(state, sample, "throttlingWouldNotHelp");
  return isOver ? lastResort(state, sample, "noLongerShrinking") : goOn(state);
}

/** Whether the copy soon fits the pause with the guest slowed down as far as is allowed. */
function throttlingEnds(state: CopyState, { remainingBytes }: CopySample, dirty: number | null): boolean {
  const { objective, course } = autoOf(state);
  if (dirty === null) return false;
  const pace = course.usualBytesPerSecond;
  const fitBytes = ((state.maxOutageMs * budgetShare - state.fixedMs) / 1000) * pace;
  return catchUpMs(remainingBytes, fitBytes, dirty * (1 - objective.maxSlowdown), pace) <= mostCatchUpMs;
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
