/**
 * What a running copy has shown of its guest and its link: how much was dirty at the beginning of each pass, how long
 * each pass took, and the link's usual pace. From it follow the two answers that decide a course: whether the copy
 * still gains, and whether slowing the guest down would help. Pure; a sample that was seen already changes nothing.
 */
import type { CopySample } from "../copy-sample.ts";

/** The beginning of a pass. */
export interface Pass {
  readonly round: number;
  readonly atMs: number;
  /** All that was dirty then. */
  readonly remainingBytes: number;
  /** How much of its time the guest was denied in the pass before, 0 to 1. */
  readonly throttle: number;
}

export interface Course {
  /** The last ones, oldest first. */
  readonly passes: readonly Pass[];
  /** How long the first, whole pass took; null until it ended. */
  readonly firstPassMs: number | null;
  /** The pace of the link when nothing is wrong with it; 0 while unknown. */
  readonly usualBytesPerSecond: number;
  /** Since when less has got through, with enough to send; null: all is as usual. */
  readonly suspectSinceMs: number | null;
  /** Since when it has been far below that, by the network's doing; null: it is not. */
  readonly slowSinceMs: number | null;
  /** For how long it was in all. */
  readonly slowMs: number;
}

export const beginCourse: Course = {
  passes: [],
  firstPassMs: null,
  usualBytesPerSecond: 0,
  suspectSinceMs: null,
  slowSinceMs: null,
  slowMs: 0,
};

const mostPasses = 16;
/** Below this share of its usual pace a link is slow; above it, the pace follows what is measured. */
const slowShare = 0.4;
/** With less to send than takes this long, the pace says nothing of the link. */
const tellingMs = 250;
/** A link that is slow for longer than this is not disturbed: that is its pace now. */
export const slowPatienceMs = 20_000;
const paceWeight = 0.3;
/** A dip that is shorter says nothing: a busy machine lets QEMU wait for a processor, and a queue lets it send ahead. */
const suspectMs = 400;
/** Below this share of the time a link does not hold a stream up. */
const busyShare = 0.7;

/** @param throttle of the guest while the pass before went on */
export function seePass(course: Course, sample: CopySample, throttle: number, beganAtMs: number): Course {
  const { round, atMs, remainingBytes } = sample;
  const last = course.passes.at(-1);
  if (last !== undefined && last.round >= round) return course;
  return {
    ...course,
    passes: [...course.passes, { round, atMs, remainingBytes, throttle }].slice(-mostPasses),
    firstPassMs: course.firstPassMs ?? atMs - beganAtMs,
  };
}

/** What a sample, of any moment, says of the link. */
export function seePace(course: Course, sample: CopySample): Course {
  const { atMs, bytesPerSecond, remainingBytes } = sample;
  const { usualBytesPerSecond: usual, slowSinceMs } = course;
  if (usual === 0) return { ...course, usualBytesPerSecond: bytesPerSecond };
  const isTelling = remainingBytes >= (usual * tellingMs) / 1000;
  const isBelow = isTelling && bytesPerSecond < usual * slowShare;
  // The link could carry more: its pace is what it was.
  if (isBelow && isStarved(sample)) return quick(course, atMs, usual);
  if (!isBelow) return quick(course, atMs, isTelling ? usual + (bytesPerSecond - usual) * paceWeight : usual);
  const suspectSinceMs = course.suspectSinceMs ?? atMs;
  if (slowSinceMs === null) {
    const isSure = atMs - suspectSinceMs >= suspectMs && sample.linkBusyShare !== null;
    return { ...course, suspectSinceMs, slowSinceMs: isSure ? suspectSinceMs : null };
  }
  if (atMs - slowSinceMs < slowPatienceMs || bytesPerSecond <= 0) return course;
  return { ...quick(course, atMs, bytesPerSecond), passes: [] };
}

/** Whether it is known that a host, and not the network, held the stream up. */
export const isStarved = ({ linkBusyShare }: CopySample): boolean =>
  typeof linkBusyShare === "number" && linkBusyShare < busyShare;

function quick(course: Course, atMs: number, usualBytesPerSecond: number): Course {
  const { slowSinceMs, slowMs, passes } = course;
  return {
    ...course,
    usualBytesPerSecond,
    // What passes left while the link was slow says nothing of the guest.
    passes: slowSinceMs === null ? passes : [],
    suspectSinceMs: null,
    slowSinceMs: null,
    slowMs: slowMs + (slowSinceMs === null ? 0 : atMs - slowSinceMs),
  };
}

/** Whether the last pass left no less than nine tenths of the best before it: the copy gains nothing any more. */
export function isStuck({ passes }: Course): boolean {
  const last = passes.at(-1);
  const before = passes.slice(-4, -1);
  if (last === undefined || before.length === 0) return false;
  return last.remainingBytes >= 0.9 * Math.min(...before.map(({ remainingBytes }) => remainingBytes));
}

/** Since when passes have left no less than nine tenths of what the last one left; null of a course without passes. */
export function stuckSinceMs({ passes }: Course): number | null {
  const last = passes.at(-1);
  if (last === undefined) return null;
  const first = passes.slice(-4).find(({ remainingBytes }) => last.remainingBytes >= 0.9 * remainingBytes);
  return (first ?? last).atMs;
}

/** Whether what is dirty has gone up and down: a guest that works in bursts. */
export function isPhased({ passes }: Course): boolean {
  return passes.some(
    ({ remainingBytes }, index) =>
      index > 0 && remainingBytes >= 1.25 * (passes[index - 1]?.remainingBytes ?? Number.POSITIVE_INFINITY),
  );
}

/**
 * The rate at which the guest would change memory if nothing slowed it down, in bytes per second; null while fewer than
 * two passes were seen. Writes that are spread over a working set of `w` bytes leave `w (1 - exp(-rate t / w))` dirty
 * after `t`. The largest amount seen is taken for the working set: where passes of different length leave the same, it
 * is written over many times in each.
 */
export function dirtyBytesPerSecond({ passes }: Course): number | null {
  const workingSet = 1.02 * Math.max(0, ...passes.map(({ remainingBytes }) => remainingBytes));
  const rates = passes.flatMap(({ atMs, remainingBytes, throttle }, index) => {
    const before = passes[index - 1];
    if (before === undefined || atMs <= before.atMs) return [];
    const seconds = ((atMs - before.atMs) / 1000) * (1 - throttle);
    return [(-workingSet / seconds) * Math.log(1 - remainingBytes / workingSet)];
  });
  if (rates.length === 0 || workingSet === 0) return null;
  const latest = rates.slice(-3).sort((a, b) => a - b);
  return latest[Math.floor(latest.length / 2)] ?? null;
}
