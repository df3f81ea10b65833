/**
 * What a move would be like: the controller that would run it plays it, over guests and links as far as they are known. How
 * much a guest changes while it is copied is known to be two to three times what is measured before; so the rates are
 * played once, twice and three times as measured, with the slow, the usual and the fast pace of the link.
 */
import {
  decisionText,
  type Forecasts,
  type MoveForecast,
  type Objective,
  type Spread,
  type VmActivity,
} from "@godwit/contract";
import type { Guest } from "./copy-model.ts";
import { burstsOf } from "./bursts.ts";
import { play, type Played } from "./play.ts";

export interface ForecastFacts {
  readonly activity: VmActivity;
  readonly linkBytesPerSecond: Spread;
  readonly linkMoves: number;
  /** What a move takes beside its copy. */
  readonly besideMs: Spread;
  readonly besideMoves: number;
  readonly objective: Objective;
  readonly maxOutageMs: number;
}

const rateFactors = [1, 2, 3] as const;
/** Its multiples are spread evenly: where a guest's bursts are when the copy begins. */
const golden = 0.618034;
/** Of a pause: the device state, the agents' messages, the start. */
const fixedMs = [8, 16] as const;

export function forecast(facts: ForecastFacts): Forecasts {
  const withoutPostcopy: Objective = { ...facts.objective, postcopy: "never" };
  return {
    ...facts,
    auto: forecastOf(facts, facts.objective),
    withoutPostcopy: facts.objective.postcopy === "never" ? null : forecastOf(facts, withoutPostcopy),
  };
}

function forecastOf(
  { activity, linkBytesPerSecond, besideMs, maxOutageMs }: ForecastFacts,
  objective: Objective,
): MoveForecast {
  const { p10, p50, p90 } = linkBytesPerSecond;
  const courses = rateFactors.flatMap((factor) =>
    [p10, p50, p90].flatMap((pace) => fixedMs.map((fixed) => ({ factor, pace, fixed }))),
  );
  const played = courses.map(({ factor, pace, fixed }, index) =>
    play(guestOf(activity, factor, (index * golden) % 1), () => pace, {
      ...{ objective, maxOutageMs, fixedMs: Math.min(fixed, maxOutageMs / 2) },
    }),
  );
  const moves = played.filter(({ end }) => end === "moved" || end === "postcopy");
  const share = (end: Played["end"]) => played.filter((one) => one.end === end).length / played.length;
  const [moved, postcopy] = [share("moved"), share("postcopy")];
  return {
    ends: { moved, postcopy, stayed: Math.max(0, 1 - moved - postcopy) },
    totalMs: sumOf(spreadOf(played.map(({ totalMs }) => totalMs)), besideMs),
    bytes: spreadOf(played.map(({ sentBytes }) => sentBytes)),
    pauseMs: spreadOf(moves.map(({ pauseMs }) => pauseMs)),
    slowdown: spreadOf(
      played.map(({ workLostMs, totalMs }) => Math.min(1, workLostMs / Math.max(1, totalMs))),
    ),
    steps: (played[Math.floor(played.length / 2)]?.decisions ?? []).map(({ decision }) =>
      decisionText(decision),
    ),
  };
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p10: at(0.1), p50: at(0.5), p90: at(0.9) };
}

/** Of two times that are long together: a busy machine is slow at both. */
const sumOf = (a: Spread, b: Spread): Spread => ({
  p10: a.p10 + b.p10,
  p50: a.p50 + b.p50,
  p90: a.p90 + b.p90,
});

/**
 * A guest that changes as much as was measured; its bursts, where it works in such, are so far on when the copy begins (0 to
 * 1). Of two periods the amounts `w (1 - exp(-rate t / w))` are known, and so are
 * the working set `w` and the rate; where they grow with time alone, the set is taken for all that was touched.
 */
export function guestOf({ periods, shape, touchedBytes }: VmActivity, factor = 1, shift = 0): Guest {
  const [mean, long] = [...periods].sort((a, b) => a.seconds - b.seconds);
  const bursts = mean === undefined || shape === undefined ? null : burstsOf(shape);
  const short = bursts === null ? mean : { ...bursts.period };
  const beside = { bytes: 2 ** 20, bytesPerSecond: 2 ** 18, order: "scattered", phase: null } as const;
  if (short === undefined || short.changedBytes <= 0) return { touchedBytes, workingSets: [beside] };
  const ratio = long === undefined ? Number.POSITIVE_INFINITY : long.changedBytes / short.changedBytes;
  const activeShare = bursts === null ? 1 : bursts.activeMs / bursts.everyMs;
  const times = long === undefined ? 2 : (long.seconds * activeShare) / short.seconds;
  const fill = filledIn(ratio, Math.max(times, 1));
  const all = Math.max(touchedBytes, 1);
  const bytes = Math.min(all, fill === null ? all : short.changedBytes / (1 - Math.exp(-fill)));
  // The set may be less than the periods alone would have it; what was changed in the short one stays as measured.
  const written = Math.min(most, -Math.log(1 - Math.min(short.changedBytes / bytes, 1 - 1e-9)));
  const rate = (bytes * written) / short.seconds;
  const phase =
    bursts === null
      ? null
      : { everyMs: bursts.everyMs, activeMs: bursts.activeMs, fromMs: -shift * bursts.everyMs };
  return {
    touchedBytes,
    workingSets: [{ bytes, bytesPerSecond: rate * factor, order: "scattered", phase }, beside],
  };
}

/** A set that was written to more often than this in the short period cannot be told from one of five times. */
const [least, most] = [0.05, 5];

/** How many times over the working set is written to in the short period; null: no end of it was seen. */
function filledIn(ratio: number, times: number): number | null {
  const grows = (fill: number) => (1 - Math.exp(-fill * times)) / (1 - Math.exp(-fill));
  if (ratio >= grows(least)) return null;
  if (ratio <= grows(most)) return most;
  let [low, high]: [number, number] = [least, most];
  for (let step = 0; step < 40; step++) {
    const middle = (low + high) / 2;
    if (grows(middle) > ratio) low = middle;
    else high = middle;
  }
  return low;
}
