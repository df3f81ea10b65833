/**
 * A running copy in figures: what it looks like now, what a switch would cost, how long it may still take. Knows
 * nothing of QEMU. What follows from the figures, each strategy decides (`strategies/`).
 *
 * The pause that a switch would cost is forecast as (what is left to send) / (measured rate) plus a fixed part: final
 * device state, the two agents' messages, the destination's start. The fixed part begins as an estimate and is learned
 * from switches that had to be backed out.
 */
import type { AutoState } from "./auto/auto-state.ts";
import type { CopySample } from "./copy-sample.ts";

export type { CopySample };

export interface CopyState {
  readonly maxOutageMs: number;
  /** Passes after which the copy can be trusted; Infinity: any number. */
  readonly trustedPasses: number;
  /** The part of the pause that does not depend on what is left to send. */
  readonly fixedMs: number;
  /** What was left at the beginning of the last pass. */
  readonly lastPassBytes: number | null;
  readonly bestOutageMs: number;
  /** When the forecast last got better, and by which round. */
  readonly bestAtMs: number;
  readonly bestAtRound: number;
  readonly backOuts: number;
  /** What had been sent when that last grew, and when it did. */
  readonly sentBytes: number;
  readonly sentAtMs: number;
  /** No switch is tried before this time: a back-out gives the guest some time to run first. */
  readonly notBeforeMs: number;
  /** Of a copy whose strategy is chosen while it runs; null of any other. */
  readonly auto: AutoState | null;
}

/** Device state, messages and start, as measured on a quiet machine; learned upwards from back-outs. */
const initialFixedMs = 8;
/** A forecast is used only up to this share of the budget: forecasts err. */
export const budgetShare = 0.8;
export const stallMs = 30_000;

/** @param trustedPasses see {@link CopyState} */
export function beginCopy(maxOutageMs: number, atMs: number, trustedPasses: number): CopyState {
  return {
    maxOutageMs,
    trustedPasses,
    fixedMs: Math.min(initialFixedMs, maxOutageMs / 2),
    lastPassBytes: null,
    bestOutageMs: Number.POSITIVE_INFINITY,
    bestAtMs: atMs,
    bestAtRound: 0,
    backOuts: 0,
    sentBytes: 0,
    sentAtMs: atMs,
    notBeforeMs: atMs,
    auto: null,
  };
}

/**
 * Emulated guests under QEMU before 9.0: after a pass has been begun, stores through entries of the
 * emulator's address cache that were not reset are not tracked, and are lost unless the guest is stopped
 * before that pass is sent (fixed upstream by "physmem: Fix migration dirty bitmap coherency with TCG
 * memory access"). Since then it resets those of the guest's first block of memory only: a NUMA node is a block of its own.
 * @param version like `7.2.22`
 */
export const repeatedPassesLose = (accelerator: string, version: string, memoryBlocks: number): boolean =>
  accelerator === "tcg" && (Number(version.split(".")[0]) < 9 || memoryBlocks > 1);

/** Whether the copy has all that the guest wrote. @param passAtStop the last pass that had begun when the guest was stopped */
export const isTrusted = (state: CopyState, passAtStop: number): boolean => passAtStop <= state.trustedPasses;

/** The pause that a switch right now would cost; null while the rate is unknown. */
export function expectedOutageMs(state: CopyState, sample: CopySample): number | null {
  if (sample.bytesPerSecond <= 0) return null;
  return (sample.remainingBytes / sample.bytesPerSecond) * 1000 + state.fixedMs;
}

/** Time until the VM runs at its destination, as things go now; null while unknown or not converging. */
export function etaMs(sample: CopySample): number | null {
  const { bytesPerSecond, dirtyBytesPerSecond, remainingBytes } = sample;
  if (bytesPerSecond <= 0 || dirtyBytesPerSecond >= bytesPerSecond) return null;
  // Each pass leaves dirty/rate of its bytes to the next: a geometric series.
  return (remainingBytes / (bytesPerSecond - dirtyBytesPerSecond)) * 1000;
}

/** Remembers when something was last seen to get through. */
export function watchSending(state: CopyState, sample: CopySample): CopyState {
  if (sample.transferredBytes <= state.sentBytes) return state;
  return { ...state, sentBytes: sample.transferredBytes, sentAtMs: sample.atMs };
}

/** For how long nothing has got through, when that is too long; else null. */
export function stalledForMs(state: CopyState, sample: CopySample): number | null {
  const forMs = sample.atMs - state.sentAtMs;
  return forMs >= stallMs ? forMs : null;
}

/** A switch was backed out after `pausedMs`: be more careful, and let the guest run for a while. */
export function backedOut(state: CopyState, atMs: number, pausedMs: number): CopyState {
  return {
    ...state,
    backOuts: state.backOuts + 1,
    fixedMs: Math.min(state.fixedMs * 1.5, state.maxOutageMs * budgetShare),
    notBeforeMs: atMs + Math.max(10 * pausedMs, 100),
    lastPassBytes: null,
    bestOutageMs: Math.max(state.bestOutageMs, pausedMs),
  };
}
