/** Whether a guest changes its memory in bursts with quiet times between them, from how much it changed in short periods in a row. */
import type { VmActivity } from "@godwit/contract";

export interface Bursts {
  /** From the start of one burst to the start of the next. */
  readonly everyMs: number;
  readonly activeMs: number;
  /** A period within a burst. */
  readonly period: { readonly seconds: number; readonly changedBytes: number };
}

/** Below this share of the busiest period a period is quiet. */
const quietShare = 0.2;
/** A quiet time that is shorter than so many periods is of no use to a copy. */
const leastQuiet = 2;
/** A guest that changes less in its busiest period is quiet all the time. */
const leastBytes = 2 * 2 ** 20;

/** Null: it is busy all the time, or quiet. */
export function burstsOf({
  periodMs,
  everyMs,
  changedBytes,
}: NonNullable<VmActivity["shape"]>): Bursts | null {
  const most = Math.max(0, ...changedBytes);
  if (most < leastBytes) return null;
  const isBusy = changedBytes.map((bytes) => bytes > most * quietShare);
  // What was measured is taken for a part of what goes on and on: its end goes over into its start.
  const starts = isBusy.filter((busy, index) => busy && isBusy.at(index - 1) === false).length;
  if (starts === 0 || longestQuiet(isBusy) < leastQuiet) return null;
  const busy = changedBytes.filter((_, index) => isBusy[index] === true).sort((a, b) => a - b);
  return {
    everyMs: (isBusy.length * everyMs) / starts,
    activeMs: (busy.length * everyMs) / starts,
    period: { seconds: periodMs / 1000, changedBytes: busy[Math.floor(busy.length / 2)] ?? most },
  };
}

function longestQuiet(isBusy: readonly boolean[]): number {
  let [longest, quiet] = [0, 0];
  for (const busy of isBusy) {
    quiet = busy ? 0 : quiet + 1;
    longest = Math.max(longest, quiet);
  }
  return longest;
}
