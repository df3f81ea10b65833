/** How long the moves of an evacuation take together, by the forecast of each, and whether that meets a deadline. */
import type { Spread } from "@godwit/contract";

/** A live move in the order in which they begin. */
export interface TimedMove {
  to: string;
  totalMs: Spread;
  bytes: Spread;
  linkBytesPerSecond: Spread;
}

export interface MovesAtOnce {
  /** In all. */
  concurrency: number;
  /** To each destination. */
  perTarget: number;
}

/** Moves that run at once share the host's link: together they take no less than it needs for all that they send. */
export function evacuationTime(moves: readonly TimedMove[], limits: MovesAtOnce): Spread {
  const at = (quantile: keyof Spread, pace: keyof Spread): number =>
    Math.max(
      scheduledMs(
        moves.map(({ to, totalMs }) => ({ to, ms: totalMs[quantile] })),
        limits,
      ),
      moves.reduce(
        (sum, { bytes, linkBytesPerSecond }) =>
          sum + (bytes[quantile] / Math.max(1, linkBytesPerSecond[pace])) * 1000,
        0,
      ),
    );
  return { p10: at("p10", "p90"), p50: at("p50", "p50"), p90: at("p90", "p10") };
}

/** The next move begins as soon as one ends: of those whose destination is free, the first. */
function scheduledMs(
  moves: readonly { to: string; ms: number }[],
  { concurrency, perTarget }: MovesAtOnce,
): number {
  const waiting = [...moves];
  let running: { to: string; endsMs: number }[] = [];
  let nowMs = 0;
  let lastMs = 0;
  while (waiting.length > 0 || running.length > 0) {
    for (;;) {
      const next = waiting.findIndex(
        ({ to }) => running.filter((one) => one.to === to).length < Math.max(1, perTarget),
      );
      if (next < 0 || running.length >= Math.max(1, concurrency)) break;
      const [move] = waiting.splice(next, 1);
      if (move !== undefined) running.push({ to: move.to, endsMs: nowMs + move.ms });
    }
    nowMs = Math.min(...running.map(({ endsMs }) => endsMs));
    lastMs = Math.max(lastMs, nowMs);
    running = running.filter(({ endsMs }) => endsMs > nowMs);
  }
  return lastMs;
}

/**
 * @param totalMs of the moves; null: not known
 * @param shutDownMs how long guests that are shut down after them may take at most
 * @param waits whether a VM is waited for, which nobody can foretell
 */
export function deadlineMet(
  deadlineMs: number,
  { totalMs, shutDownMs, waits }: { totalMs: Spread | null; shutDownMs: number; waits: boolean },
): "yes" | "likely" | "no" | "unknown" {
  if (totalMs === null) return "unknown";
  if (totalMs.p50 > deadlineMs) return "no";
  if (waits) return "unknown";
  return totalMs.p90 + shutDownMs <= deadlineMs ? "yes" : "likely";
}
