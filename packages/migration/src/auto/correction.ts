/**
 * What earlier moves teach about the next one's forecast: how much more time, bytes and pause they took than the model had
 * told. The middle of their ratios is used, in logarithms, so that a few moves that went quite otherwise change little; beside
 * them stands one ratio of 1, so that little is believed of few moves. What is old counts less: half after each fortnight.
 * Pure.
 */
import {
  correctedFigures,
  type CorrectedFigure,
  type Forecasts,
  type MoveForecast,
  type Spread,
} from "@godwit/contract";

/** Of one move that ended well. */
export interface PastMove {
  readonly ratios: Readonly<Partial<Record<CorrectedFigure, number>>>;
  readonly ageMs: number;
  /** Of the same VM; else of another one between the same hosts. */
  readonly isOwn: boolean;
}

export type Correction = Readonly<Record<CorrectedFigure, Spread>> & {
  readonly moves: number;
  readonly ownMoves: number;
};

/** So many of the newest moves of a VM between two hosts are kept. */
export const movesKept = 16;
const halfLifeMs = 14 * 86_400_000;
/** No ratio is believed beyond this, either way. */
const mostRatio = 8;
/** What all other VMs' moves weigh together, in moves of its own: their middle counts as one. */
const othersWeight = 1;

/** Null: nothing was learned. */
export function correctionOf(past: readonly PastMove[]): Correction | null {
  if (past.length === 0) return null;
  const ofFigure = (figure: CorrectedFigure) => spreadOfRatios(weighted(past, figure));
  return {
    ...{ totalMs: ofFigure("totalMs"), bytes: ofFigure("bytes"), pauseMs: ofFigure("pauseMs") },
    moves: past.length,
    ownMoves: past.filter(({ isOwn }) => isOwn).length,
  };
}

interface Weighted {
  log: number;
  weight: number;
}

function weighted(past: readonly PastMove[], figure: CorrectedFigure): Weighted[] {
  const known = past.flatMap(({ ratios, ageMs, isOwn }) => {
    const ratio = ratios[figure];
    if (ratio === undefined || !(ratio > 0)) return [];
    const log = Math.log(Math.min(mostRatio, Math.max(1 / mostRatio, ratio)));
    return [{ log, weight: 0.5 ** (Math.max(0, ageMs) / halfLifeMs), isOwn }];
  });
  const others = inOrder(known.filter(({ isOwn }) => !isOwn));
  const weight = Math.min(
    othersWeight,
    others.reduce((sum, one) => sum + one.weight, 0),
  );
  return [
    { log: 0, weight: 1 },
    ...known.filter(({ isOwn }) => isOwn),
    ...(others.length === 0 ? [] : [{ log: quantile(others, 0.5), weight }]),
  ];
}

const inOrder = (values: readonly Weighted[]): Weighted[] => [...values].sort((a, b) => a.log - b.log);

function spreadOfRatios(values: readonly Weighted[]): Spread {
  const sorted = inOrder(values);
  const at = (share: number) => Math.exp(quantile(sorted, share));
  return { p10: at(0.1), p50: at(0.5), p90: at(0.9) };
}

/** Each value stands in the middle of its weight; between two it is interpolated. @param sorted not empty */
function quantile(sorted: readonly Weighted[], share: number): number {
  const total = sorted.reduce((sum, { weight }) => sum + weight, 0);
  let before: { place: number; log: number } | null = null;
  let passed = 0;
  for (const { log, weight } of sorted) {
    const place = (passed + weight / 2) / total;
    if (place >= share) {
      if (before === null || place <= before.place) return log;
      return before.log + ((log - before.log) * (share - before.place)) / (place - before.place);
    }
    before = { place, log };
    passed += weight;
  }
  return before?.log ?? 0;
}

/** The forecast as earlier moves correct it; its ranges hold what they would have made of it. */
export function corrected(forecasts: Forecasts, correction: Correction | null): Forecasts {
  if (correction === null) return forecasts;
  const { auto, withoutPostcopy, maxOutageMs } = forecasts;
  const apply = (forecast: MoveForecast): MoveForecast => {
    const figures = correctedFigures.map((figure) => [
      figure,
      times(forecast[figure], correction[figure], figure === "pauseMs" ? maxOutageMs : Number.MAX_VALUE),
    ]);
    return { ...forecast, ...(Object.fromEntries(figures) as Record<CorrectedFigure, Spread>) };
  };
  const uncorrected = { totalMs: auto.totalMs.p50, bytes: auto.bytes.p50, pauseMs: auto.pauseMs.p50 };
  return {
    ...forecasts,
    correction: { ...correction, uncorrected },
    auto: apply(auto),
    withoutPostcopy: withoutPostcopy === null ? null : apply(withoutPostcopy),
  };
}

/** @param most what it never is more than, because a switch that would take longer is backed out */
function times({ p10, p50, p90 }: Spread, by: Spread, most: number): Spread {
  const limited = (value: number) => Math.min(value, Math.max(most, p50));
  return {
    p10: limited(Math.min(p10 * by.p50, p50 * by.p10)),
    p50: limited(p50 * by.p50),
    p90: limited(Math.max(p90 * by.p50, p50 * by.p90)),
  };
}
