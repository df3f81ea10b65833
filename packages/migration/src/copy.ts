/**
 * Pre-copy as a decision: after each pass over the memory, switch now, go on copying, or admit that
 * it does not converge. Knows nothing of QEMU; takes figures, returns a decision with its reason.
 *
 * The pause that a switch would cost is forecast as (what is left to send) / (measured rate) plus a
 * fixed part: final device state, the two agents' messages, the destination's start. The fixed part
 * begins as an estimate and is learned from switches that had to be backed out.
 *
 * Where repeated passes cannot be trusted (`singlePass`), QEMU stops the guest at the end of the first one,
 * and all that changed since is sent while it stands still.
 */

/** One look at the copy. Times in ms on the caller's monotonic clock. */
export interface CopySample {
  atMs: number;
  /** Passes begun so far; 1 is the first, whole one. */
  round: number;
  remainingBytes: number;
  transferredBytes: number;
  totalBytes: number;
  /** Rate of sending as measured lately; 0 while unknown. */
  bytesPerSecond: number;
  dirtyBytesPerSecond: number;
  /** True at the beginning of a pass: `remainingBytes` is then all that is dirty, not what is left of it. */
  passBegins: boolean;
}

export interface CopyState {
  readonly maxOutageMs: number;
  readonly singlePass: boolean;
  /** The rest of the memory may follow while the guest runs at the destination. */
  readonly mayPostcopy: boolean;
  readonly startedAtMs: number;
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
}

export type CopyDecision =
  | { kind: "continue" }
  | { kind: "switch"; expectedOutageMs: number; reason: string }
  /** Let the guest run at the destination before all its memory is there. */
  | { kind: "postcopy"; reason: string }
  /** More than one pass would be needed where only one can be trusted. */
  | { kind: "unsafe" }
  /** Nothing gets through any more; TCP itself would wait for a quarter of an hour. */
  | { kind: "stalled"; forMs: number }
  | { kind: "notConverging"; bestMs: number; rounds: number };

/** Device state, messages and start, as measured on a quiet machine; learned upwards from back-outs. */
const initialFixedMs = 8;
/** Below this much transfer time another pass gains nothing. */
const negligibleTransferMs = 2;
/** A forecast is used only up to this share of the budget: forecasts err. */
const budgetShare = 0.8;
/** A pass that shrinks less than this is a plateau: waiting for a better moment is over. */
const plateauRatio = 0.75;
/** Patience without a better forecast, in rounds and time (both must pass); throttling needs rounds to bite. */
const patienceRounds = 40;
const patienceMs = 30_000;
const maxBackOuts = 12;
const stallMs = 30_000;

export function beginCopy(
  maxOutageMs: number,
  atMs: number,
  { singlePass = false, mayPostcopy = false } = {},
): CopyState {
  return {
    maxOutageMs,
    singlePass,
    mayPostcopy,
    startedAtMs: atMs,
    fixedMs: Math.min(initialFixedMs, maxOutageMs / 2),
    lastPassBytes: null,
    bestOutageMs: Number.POSITIVE_INFINITY,
    bestAtMs: atMs,
    bestAtRound: 0,
    backOuts: 0,
    sentBytes: 0,
    sentAtMs: atMs,
    notBeforeMs: atMs,
  };
}

/**
 * Emulated guests under QEMU before 9.0: after a pass has been begun, stores through entries of the
 * emulator's address cache that were not reset are not tracked, and are lost unless the guest is stopped
 * before that pass is sent (mended upstream by "physmem: Fix migration dirty bitmap coherency with TCG
 * memory access"). @param version like `7.2.22`
 */
export const repeatedPassesLose = (accelerator: string, version: string): boolean =>
  accelerator === "tcg" && Number(version.split(".")[0]) < 9;

/**
 * QEMU's own limit, ms: below it, it stops the guest by itself. With 0 it does so at the end of the first
 * pass, before a second one begins; with 1 only when next to nothing is left, and the agent chooses the moment.
 */
export const ownLimitMs = (singlePass: boolean): number => (singlePass ? 0 : 1);

/** Whether the copy is whole. @param passAtStop the last pass that had begun when the guest was stopped */
export const isTrusted = (state: CopyState, passAtStop: number): boolean =>
  !state.singlePass || passAtStop <= 1;

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

export function decideCopy(
  before: CopyState,
  sample: CopySample,
): { state: CopyState; decision: CopyDecision } {
  const state = watchSending(before, sample);
  const stalledMs = sample.atMs - state.sentAtMs;
  if (stalledMs >= stallMs) return { state, decision: { kind: "stalled", forMs: stalledMs } };
  const expected = expectedOutageMs(state, sample);
  if (state.singlePass) {
    // Once this pass has ended it is too late: QEMU has stopped the guest then, and all that changed must be sent.
    if (state.mayPostcopy && sample.remainingBytes > 0 && sample.remainingBytes <= sample.totalBytes / 2)
      return { state, decision: { kind: "postcopy", reason: `half of the first pass is sent` } };
    return { state, decision: { kind: isTrusted(state, sample.round) ? "continue" : "unsafe" } };
  }
  // In the middle of a pass, pages dirtied behind its back are not counted: only a beginning tells all.
  if (!sample.passBegins || sample.round < 2 || expected === null)
    return { state, decision: { kind: "continue" } };

  const better = expected < state.bestOutageMs * 0.95;
  const next: CopyState = {
    ...state,
    lastPassBytes: sample.remainingBytes,
    ...(better ? { bestOutageMs: expected, bestAtMs: sample.atMs, bestAtRound: sample.round } : {}),
  };
  if (sample.atMs >= state.notBeforeMs && expected <= state.maxOutageMs * budgetShare) {
    const reason = switchReason(state, sample, expected);
    if (reason !== null)
      return { state: next, decision: { kind: "switch", expectedOutageMs: expected, reason } };
  }
  // The whole memory was sent once; what the guest has changed since follows when it runs at the destination.
  if (state.mayPostcopy) {
    const reason = `${String(Math.ceil(sample.remainingBytes / 2 ** 20))} MiB left in round ${String(sample.round)}`;
    return { state: next, decision: { kind: "postcopy", reason } };
  }
  const patienceOver =
    sample.round - next.bestAtRound >= patienceRounds && sample.atMs - next.bestAtMs >= patienceMs;
  if (patienceOver || state.backOuts >= maxBackOuts) {
    return {
      state: next,
      decision: { kind: "notConverging", bestMs: next.bestOutageMs, rounds: sample.round },
    };
  }
  return { state: next, decision: { kind: "continue" } };
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

function switchReason(state: CopyState, sample: CopySample, expected: number): string | null {
  const transferMs = expected - state.fixedMs;
  const kib = `${String(Math.ceil(sample.remainingBytes / 1024))} KiB left`;
  const forecast = `forecast ${expected.toFixed(1)} ms of ${String(state.maxOutageMs)} ms`;
  if (transferMs <= negligibleTransferMs) return `${kib} in round ${String(sample.round)}, ${forecast}`;
  if (state.lastPassBytes !== null && sample.remainingBytes >= state.lastPassBytes * plateauRatio) {
    return `${kib} in round ${String(sample.round)} and no longer shrinking, ${forecast}`;
  }
  return null;
}
