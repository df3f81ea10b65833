/** What each contender's moves come to, and the table that sets the first one's medians against the others'. Pure. */
import { summaryOf, table, type Summary } from "../measure/statistics.ts";
import type { Sample } from "./contenders.ts";

export interface Comparison {
  name: string;
  moves: number;
  /** Moves that the mover gave up. */
  failed: number;
  /** Moves after which the guest did not live on. */
  hung: number;
  /** Moves after which the guest ran on another number of hosts than one, or on the wrong one. */
  misplaced: number;
  outageMs: Summary | null;
  writeGapMs: Summary | null;
  totalMs: Summary | null;
  bytes: Summary | null;
  passes: Summary | null;
  acknowledged: number;
  lost: number;
  duplicated: number;
  reconnects: number;
  /** Guests that could not be asked for what they had acknowledged, even after a new start. */
  unknown: number;
  samples: readonly Sample[];
}

export function comparisonOf(name: string, samples: readonly Sample[]): Comparison {
  const count = (fits: (sample: Sample) => boolean) => samples.filter(fits).length;
  const sum = (key: "acknowledged" | "lost" | "duplicated" | "reconnects") =>
    samples.reduce((total, { client }) => total + (client?.[key] ?? 0), 0);
  return {
    name,
    moves: samples.length,
    failed: count(({ failure }) => failure !== null),
    hung: count(({ hung }) => hung),
    misplaced: count(({ runners, failure, from, to }) => runners.join() !== (failure === null ? to : from)),
    outageMs: summaryOf(samples.map(({ outageMs }) => outageMs)),
    writeGapMs: summaryOf(samples.map(({ writeGapMs }) => writeGapMs)),
    totalMs: summaryOf(samples.map(({ totalMs }) => totalMs)),
    bytes: summaryOf(samples.map(({ bytes }) => bytes)),
    passes: summaryOf(samples.map(({ passes }) => passes)),
    acknowledged: sum("acknowledged"),
    lost: sum("lost"),
    duplicated: sum("duplicated"),
    reconnects: sum("reconnects"),
    unknown: count(({ client }) => client === null),
    samples,
  };
}

/** @param rows the first is set against the others */
export function comparisonText(rows: readonly Comparison[]): string {
  const [own] = rows;
  return table([
    [
      ...["", "moves", "failed", "hung", "misplaced", "outage ms", "best", "worst", "ratio"],
      ...["total s", "best", "worst", "ratio", "sent MiB", "ratio", "passes"],
      ...["lost", "doubled", "reconnects"],
    ],
    ...rows.map((row) => [
      row.name,
      ...[row.moves, row.failed, row.hung, row.misplaced].map(String),
      ...three(row.outageMs, (ms) => ms.toFixed(0)),
      ratio(own?.outageMs, row.outageMs),
      ...three(row.totalMs, (ms) => (ms / 1000).toFixed(2)),
      ratio(own?.totalMs, row.totalMs),
      row.bytes === null ? "–" : (row.bytes.median / 2 ** 20).toFixed(0),
      ratio(own?.bytes, row.bytes),
      row.passes === null ? "–" : String(row.passes.median),
      ...[row.lost, row.duplicated, row.reconnects].map(String),
    ]),
  ]);
}

const three = (summary: Summary | null, show: (value: number) => string): string[] =>
  summary === null ? ["–", "–", "–"] : [summary.median, summary.best, summary.worst].map(show);

/** Of medians: below 1, the first contender needs less. */
function ratio(own: Summary | null | undefined, other: Summary | null): string {
  if (own === undefined || own === null || other === null || other.median === 0 || own === other) return "";
  return (own.median / other.median).toFixed(2);
}
