/** A move's forecast, and what has happened beside it. Pure, and without the schemas, which those who only show do not load. */
import type { KeptForecast } from "./schemas/kept-forecast.ts";
import type { MoveRecord } from "./schemas/move.ts";
import type { Forecasts } from "./schemas/objective.ts";

/** The figures of a forecast that earlier moves correct. */
export const correctedFigures = ["totalMs", "bytes", "pauseMs"] as const;
export type CorrectedFigure = (typeof correctedFigures)[number];

export function keptForecast({ auto, correction }: Forecasts): KeptForecast {
  const { ends, totalMs, bytes, pauseMs, slowdown } = auto;
  const bare = { totalMs: totalMs.p50, bytes: bytes.p50, pauseMs: pauseMs.p50 };
  return {
    ...{ ends, totalMs, bytes, pauseMs, slowdown },
    uncorrected: correction?.uncorrected ?? bare,
    correctedBy: correction?.moves ?? 0,
  };
}

/** What of a move its forecast had told; null: not measured. */
export interface MoveOutcome {
  totalMs: number | null;
  bytes: number | null;
  pauseMs: number | null;
  /** The share of the copy's time that the guest was denied. After a post-copy nobody knows how long it waited for memory. */
  slowdown: number | null;
}

export const outcomeOf = (record: MoveRecord): MoveOutcome => ({
  totalMs: record.totalMs,
  bytes: record.bytes > 0 ? record.bytes : null,
  pauseMs: record.stopToContMs,
  slowdown: slowdownOf(record),
});

function slowdownOf({ phases, decisions, stopToContMs }: MoveRecord): number | null {
  const began = phases.find(({ phase }) => phase === "copying");
  const ended = phases.findLast(({ phase }) => phase === "switching");
  const isSplit = phases.some(({ phase }) => phase === "postcopy");
  if (began === undefined || ended === undefined || isSplit || stopToContMs === null) return null;
  const [fromMs, toMs] = [Date.parse(began.at), Date.parse(ended.at)];
  let [deniedMs, throttle, sinceMs] = [stopToContMs, 0, fromMs];
  for (const decision of decisions) {
    if (decision.kind !== "throttle" && decision.kind !== "linkSlow") continue;
    const atMs = Math.min(Math.max(Date.parse(decision.at), sinceMs), toMs);
    deniedMs += throttle * (atMs - sinceMs);
    [throttle, sinceMs] = [decision.throttle, atMs];
  }
  deniedMs += throttle * Math.max(0, toMs - sinceMs);
  return Math.min(1, deniedMs / Math.max(1, toMs - fromMs + stopToContMs));
}

/**
 * What happened, in terms of what the model had told: 2 is twice as much. Null: nothing is to be learned from this move,
 * because it did not end well or its limits were changed on the way.
 */
export function ratiosOf(
  { uncorrected }: KeptForecast,
  record: MoveRecord,
): Partial<Record<CorrectedFigure, number>> | null {
  if (record.phase !== "succeeded" || record.decisions.some(({ kind }) => kind === "limits")) return null;
  const outcome = outcomeOf(record);
  const ratios: Partial<Record<CorrectedFigure, number>> = {};
  for (const figure of correctedFigures) {
    const real = outcome[figure];
    if (real !== null && real > 0 && uncorrected[figure] > 0) ratios[figure] = real / uncorrected[figure];
  }
  return Object.keys(ratios).length === 0 ? null : ratios;
}
