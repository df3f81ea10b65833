/** A cell of the comparison: one guest over one link by one engine, its moves, and what they come to. Pure. */
import { summaryOf, table } from "../measure/statistics.ts";
import type { Work } from "./loads/load.ts";

export interface Move {
  ended: boolean;
  /** Why it did not. */
  failure: string | null;
  totalMs: number | null;
  outageMs: number | null;
  bytes: number | null;
  /** Where the time went, in the engine's own words. */
  note: string | null;
  /** The share of what it did before the move that it did not do during it. */
  guestThroughputLost: number | null;
  /** What it did before the move. */
  work: { unit: Work["unit"]; perSecond: number } | null;
  /** The guest was not found alive afterwards. */
  hung: boolean;
}

export interface Cell {
  guest: string;
  link: string;
  engine: string;
  /** Whether every move did. */
  ended: boolean;
  totalMs: number[];
  outageMs: number[];
  bytes: number[];
  guestThroughputLost: number[];
  /** Of a guest that changes its memory. */
  writerMibPerSecond: number[];
  /** Of any that works: what it did before its moves, in `workUnit` each second. */
  workPerSecond: number[];
  workUnit: Work["unit"] | null;
  failures: string[];
}

export function cellOf(guest: string, link: string, engine: string, moves: readonly Move[]): Cell {
  const of = (key: "totalMs" | "outageMs" | "bytes" | "guestThroughputLost") =>
    moves.flatMap((move) => move[key] ?? []);
  const works = moves.flatMap(({ work }) => work ?? []);
  const perSecond = works.map((work) => work.perSecond);
  const workUnit = works[0]?.unit ?? null;
  return {
    ...{ guest, link, engine, ended: moves.length > 0 && moves.every(({ ended, hung }) => ended && !hung) },
    ...{ totalMs: of("totalMs"), outageMs: of("outageMs"), bytes: of("bytes") },
    guestThroughputLost: of("guestThroughputLost"),
    writerMibPerSecond: workUnit === "MiB" ? perSecond : [],
    ...{ workPerSecond: perSecond, workUnit },
    failures: moves.flatMap(
      ({ failure, hung }) => failure ?? (hung ? ["the guest answered nothing afterwards"] : []),
    ),
  };
}

export function cellsText(cells: readonly Cell[]): string {
  const median = (values: readonly number[], show: (value: number) => string): string => {
    const summary = summaryOf(values);
    return summary === null ? "–" : show(summary.median);
  };
  return table([
    ["guest", "link", "engine", "ended", "total s", "outage ms", "worst", "sent MiB", "work lost", "it did"],
    ...cells.map((cell) => [
      ...[cell.guest, cell.link, cell.engine, cell.ended ? "yes" : "no"],
      median(cell.totalMs, (ms) => (ms / 1000).toFixed(2)),
      median(cell.outageMs, (ms) => ms.toFixed(0)),
      cell.outageMs.length === 0 ? "–" : Math.max(...cell.outageMs).toFixed(0),
      median(cell.bytes, (bytes) => (bytes / 2 ** 20).toFixed(0)),
      median(cell.guestThroughputLost, (share) => `${(share * 100).toFixed(0)} %`),
      median(cell.workPerSecond, (rate) => `${rate.toFixed(rate < 10 ? 1 : 0)} ${cell.workUnit ?? ""}/s`),
    ]),
  ]);
}
