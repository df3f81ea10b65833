/**
 * A copy as it would go: a guest that changes its memory, a link, and QEMU's passes between them. For forecasts and for
 * the comparison of policies; a simulation, in steps of some milliseconds. What is modelled: dirty memory per working
 * set, with phases; passes that begin with all that is dirty by then; a link with a pace of its own at each moment;
 * throttling; the switch; post-copy. What is not: zero pages, the order of pages, QEMU's own processor time.
 */

/** A part of the guest's memory that it writes to. */
export interface WorkingSet {
  readonly bytes: number;
  /** While it writes. */
  readonly bytesPerSecond: number;
  /** `scattered` writes hit what is dirty already the more, the more there is; `sequential` ones go round. */
  readonly order: "scattered" | "sequential";
  /** It writes for `activeMs` of each `everyMs`, from `fromMs` on; null: always. */
  readonly phase: { readonly everyMs: number; readonly activeMs: number; readonly fromMs: number } | null;
}

export interface Guest {
  /** What must be sent at least once. */
  readonly touchedBytes: number;
  readonly workingSets: readonly WorkingSet[];
}

/** Bytes per second at a moment of the move. */
export type Link = (atMs: number) => number;

export interface ModelState {
  readonly atMs: number;
  readonly round: number;
  /** Left of the pass. */
  readonly leftBytes: number;
  /** Changed since the pass began, per working set. */
  readonly dirtyBytes: readonly number[];
  readonly sentBytes: number;
  readonly passBeganAtMs: number;
  /** What the guest is denied of its time, 0 to 1. */
  readonly throttle: number;
  /** Guest time taken by throttling so far. */
  readonly throttledMs: number;
}

export const beginModel = (guest: Guest): ModelState => ({
  atMs: 0,
  round: 1,
  leftBytes: guest.touchedBytes,
  dirtyBytes: guest.workingSets.map(() => 0),
  sentBytes: 0,
  passBeganAtMs: 0,
  throttle: 0,
  throttledMs: 0,
});

export const dirtyOf = ({ dirtyBytes }: ModelState): number =>
  dirtyBytes.reduce((sum, bytes) => sum + bytes, 0);

/** The pass is over: all that was changed meanwhile is the next one. */
export const nextPass = (state: ModelState, extraBytes = 0): ModelState => ({
  ...state,
  round: state.round + 1,
  leftBytes: dirtyOf(state) + extraBytes,
  dirtyBytes: state.dirtyBytes.map(() => 0),
  passBeganAtMs: state.atMs,
});

/** Goes on for a step, which ends with the pass at the latest. @param stepMs the longest that it may be */
export function advance(state: ModelState, guest: Guest, link: Link, stepMs: number): ModelState {
  const pace = link(state.atMs);
  const toEndMs = pace > 0 ? (state.leftBytes / pace) * 1000 : Number.POSITIVE_INFINITY;
  const ms = Math.max(0.05, Math.min(stepMs, toEndMs));
  const seconds = ms / 1000;
  const sent = Math.min(state.leftBytes, pace * seconds);
  return {
    ...state,
    atMs: state.atMs + ms,
    leftBytes: sent >= state.leftBytes - 1 ? 0 : state.leftBytes - sent,
    sentBytes: state.sentBytes + sent,
    dirtyBytes: state.dirtyBytes.map((bytes, index) =>
      dirtyAfter(guest.workingSets[index], bytes, state.atMs, seconds, 1 - state.throttle),
    ),
    throttledMs: state.throttledMs + ms * state.throttle,
  };
}

function dirtyAfter(
  set: WorkingSet | undefined,
  bytes: number,
  atMs: number,
  seconds: number,
  speed: number,
): number {
  if (set === undefined || !isActive(set, atMs)) return bytes;
  const written = set.bytesPerSecond * speed * seconds;
  if (set.order === "sequential") return Math.min(set.bytes, bytes + written);
  return set.bytes - (set.bytes - bytes) * Math.exp(-written / set.bytes);
}

function isActive({ phase }: WorkingSet, atMs: number): boolean {
  if (phase === null) return true;
  const since = (atMs - phase.fromMs) % phase.everyMs;
  return (since < 0 ? since + phase.everyMs : since) < phase.activeMs;
}

/** How long the transfer of so much takes from a moment on. @param mostMs it is looked at no further */
export function transferMs(link: Link, fromMs: number, bytes: number, mostMs: number): number {
  let left = bytes;
  let ms = 0;
  while (left > 0 && ms < mostMs) {
    const pace = link(fromMs + ms);
    const step = pace > 0 ? Math.min(5, (left / pace) * 1000) : 5;
    left -= (pace * step) / 1000;
    ms += step;
    if (left < 1) return ms;
  }
  return ms;
}
