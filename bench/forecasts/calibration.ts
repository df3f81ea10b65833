/** How well forecasts did: in how many moves the real figure lay in the range that was told, and how far from its middle it was. Pure. */
import { correctedFigures, type CorrectedFigure } from "@godwit/contract";
import { summaryOf } from "../measure/statistics.ts";

/** One figure of one move. */
export interface Told {
  p10: number;
  p50: number;
  p90: number;
  /** The middle without what earlier moves had taught. */
  uncorrected: number;
  real: number;
}

export interface ForecastMove {
  guest: string;
  /** Earlier moves that had corrected it. */
  correctedBy: number;
  figures: Partial<Record<CorrectedFigure, Told>>;
}

export interface Calibration {
  moves: number;
  /** Of moves whose real figure lies between p10 and p90, the share. */
  inRange: number | null;
  /** Of the distance from the middle, in shares of the real figure. */
  medianError: number | null;
  /** The same without corrections. */
  uncorrectedError: number | null;
}

export function calibrationOf(moves: readonly ForecastMove[], figure: CorrectedFigure): Calibration {
  const told = moves.flatMap(({ figures }) => figures[figure] ?? []);
  const error = (middle: (one: Told) => number) =>
    summaryOf(told.map((one) => Math.abs(middle(one) - one.real) / one.real))?.median ?? null;
  const inside = told.filter(({ p10, p90, real }) => real >= p10 && real <= p90);
  return {
    moves: told.length,
    inRange: told.length === 0 ? null : inside.length / told.length,
    medianError: error(({ p50 }) => p50),
    uncorrectedError: error(({ uncorrected }) => uncorrected),
  };
}

/** Rows of a table: each figure over all moves, and of each guest. */
export function calibrationRows(moves: readonly ForecastMove[]): string[][] {
  const guests = [...new Set(moves.map(({ guest }) => guest))];
  const percent = (share: number | null) => (share === null ? "–" : `${(share * 100).toFixed(0)} %`);
  const row = (name: string, of: readonly ForecastMove[], figure: CorrectedFigure) => {
    const { moves: count, inRange, medianError, uncorrectedError } = calibrationOf(of, figure);
    return [name, figure, String(count), percent(inRange), percent(medianError), percent(uncorrectedError)];
  };
  return [
    ["guest", "figure", "moves", "in range", "median error", "uncorrected"],
    ...correctedFigures.map((figure) => row("all", moves, figure)),
    ...guests.flatMap((guest) =>
      correctedFigures.map((figure) =>
        row(
          guest,
          moves.filter((one) => one.guest === guest),
          figure,
        ),
      ),
    ),
  ];
}
