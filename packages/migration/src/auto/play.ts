/**
 * Plays a whole copy with the model of it: the controller that runs real moves decides on the model's samples. What it
 * does is what it would do to such a guest over such a link; that is a forecast, and it is how the controller is tested.
 */
import type { MoveDecision, Objective } from "@godwit/contract";
import { backedOut, beginCopy, type CopySample, type CopyState } from "../copy.ts";
import { stalledForMs, watchSending } from "../copy.ts";
import { beginAuto } from "./auto-state.ts";
import { decideAuto } from "./controller.ts";
import {
  advance,
  beginModel,
  dirtyOf,
  nextPass,
  transferMs,
  type Guest,
  type Link,
  type ModelState,
} from "./copy-model.ts";

export interface PlayOptions {
  readonly objective: Objective;
  readonly maxOutageMs: number;
  /** The part of a pause that does not depend on what is left to send. */
  readonly fixedMs: number;
}

export interface Played {
  readonly end: "moved" | "postcopy" | "notConverging" | "stalled" | "endless";
  readonly because: string | null;
  /** When the last decision was made, from the begin of the copy. */
  readonly decidedAtMs: number;
  /** Until all memory is at the destination. */
  readonly totalMs: number;
  readonly pauseMs: number;
  readonly sentBytes: number;
  readonly rounds: number;
  /** Guest time that throttling, the pauses, and waiting for memory took. */
  readonly workLostMs: number;
  readonly mostThrottle: number;
  /** Time in which memory was on both sides. */
  readonly splitMs: number;
  /** Switches, each with what the guest stood still: backed out, but for the last. */
  readonly tries: readonly { readonly pausedMs: number }[];
  readonly decisions: readonly { readonly atMs: number; readonly decision: MoveDecision }[];
}

const sampleEveryMs = 250;
const stepMs = 10;
/** QEMU looks for changes once a second at most, and throttles at every second look that finds too many. */
const throttleLagMs = 2_000;
const leastPassMs = 20;
/** The agents' share of a pause, kept of the budget. */
const reserveMs = 6;
const endlessMs = 2 * 3_600_000;
/** What a guest loses of its work while it takes memory from the source as it needs it. */
const faultShare = 0.5;

export function play(guest: Guest, link: Link, { objective, maxOutageMs, fixedMs }: PlayOptions): Played {
  let copy: CopyState = {
    ...beginCopy(maxOutageMs, 0, Number.POSITIVE_INFINITY),
    auto: beginAuto(objective, 0),
  };
  let model = beginModel(guest);
  let wanted: { throttle: number; fromMs: number } | null = null;
  let sampledAtMs = 0;
  let mostThrottle = 0;
  const rate = new Rate();
  const tries: { pausedMs: number }[] = [];
  const decisions: { atMs: number; decision: MoveDecision }[] = [];
  const ended = (end: Played["end"], because: string | null, more: Partial<Played> = {}): Played => {
    const stoodMs = tries.reduce((sum, { pausedMs }) => sum + pausedMs, 0);
    return {
      ...{
        end,
        because,
        decidedAtMs: model.atMs,
        totalMs: model.atMs,
        pauseMs: 0,
        sentBytes: model.sentBytes,
      },
      ...{ rounds: model.round, workLostMs: model.throttledMs + stoodMs, mostThrottle, splitMs: 0 },
      ...{ tries, decisions },
      ...more,
    };
  };

  while (model.atMs < endlessMs) {
    const before = model;
    if (model.leftBytes <= 0 && model.atMs - model.passBeganAtMs >= leastPassMs) model = nextPass(model);
    else if (model.leftBytes <= 0) model = idle(model, guest, link);
    else model = advance(model, guest, link, stepMs);
    rate.see(model);
    if (wanted !== null && model.atMs >= wanted.fromMs) {
      model = { ...model, throttle: wanted.throttle };
      mostThrottle = Math.max(mostThrottle, wanted.throttle);
      wanted = null;
    }
    const passBegins = model.round > before.round;
    if (!passBegins && model.atMs - sampledAtMs < sampleEveryMs) continue;
    sampledAtMs = model.atMs;
    const sample = sampleOf(model, guest, rate.bytesPerSecond, passBegins);
    copy = watchSending(copy, sample);
    if (stalledForMs(copy, sample) !== null) return ended("stalled", null);
    const step = decideAuto(copy, sample);
    copy = step.state;
    const { decision } = step;
    if (decision.kind === "tune" || decision.kind === "switch")
      decisions.push({ atMs: model.atMs, decision: decision.decision });
    if (decision.kind === "tune") {
      const throttle = copy.auto?.throttle ?? 0;
      if (throttle !== model.throttle) wanted = { throttle, fromMs: model.atMs + throttleLagMs };
    } else if (decision.kind === "notConverging") return ended("notConverging", decision.because ?? null);
    else if (decision.kind === "switch") {
      const pausedAtMs = model.atMs;
      if (decision.memory === "split") {
        const because = "because" in decision.decision ? decision.decision.because : null;
        const left = model.leftBytes + dirtyOf(model);
        const splitMs = transferMs(link, pausedAtMs, left, endlessMs);
        const pauseMs = fixedMs * 2;
        tries.push({ pausedMs: Math.min(pauseMs, maxOutageMs) });
        const sentBytes = model.sentBytes + left;
        const done = ended("postcopy", because, {
          splitMs,
          pauseMs,
          sentBytes,
          totalMs: pausedAtMs + splitMs,
        });
        return { ...done, workLostMs: done.workLostMs + splitMs * faultShare };
      }
      const budgetMs = Math.max(1, maxOutageMs - reserveMs);
      const lastMs = transferMs(link, pausedAtMs, model.leftBytes, budgetMs + 1) + fixedMs - reserveMs;
      if (lastMs <= budgetMs) {
        tries.push({ pausedMs: lastMs + reserveMs });
        const sentBytes = model.sentBytes + model.leftBytes;
        const because = "because" in decision.decision ? decision.decision.because : null;
        return ended("moved", because, {
          ...{ pauseMs: lastMs + reserveMs, sentBytes, totalMs: pausedAtMs + lastMs + reserveMs },
        });
      }
      tries.push({ pausedMs: budgetMs });
      model = { ...model, atMs: pausedAtMs + budgetMs };
      decisions.push({ atMs: model.atMs, decision: { kind: "backedOut", afterMs: budgetMs } });
      copy = backedOut(copy, model.atMs, budgetMs);
    }
  }
  return ended("endless", null);
}

/** Nothing is left of the pass: only the guest goes on, until the next one begins. */
const idle = (model: ModelState, guest: Guest, link: Link): ModelState => {
  const next = advance({ ...model, leftBytes: Number.MAX_SAFE_INTEGER }, guest, link, stepMs);
  return { ...next, leftBytes: 0, sentBytes: model.sentBytes };
};

const sampleOf = (
  { atMs, round, leftBytes, sentBytes }: ModelState,
  { touchedBytes }: Guest,
  bytesPerSecond: number,
  passBegins: boolean,
): CopySample => ({
  ...{ atMs, round, remainingBytes: leftBytes, transferredBytes: sentBytes, totalBytes: touchedBytes },
  ...{ bytesPerSecond, dirtyBytesPerSecond: 0, passBegins },
});

/** The pace as an agent measures it: between two looks that are a tenth of a second apart, while something is sent. */
class Rate {
  bytesPerSecond = 0;
  #last = { atMs: 0, sentBytes: 0 };

  see({ atMs, sentBytes }: ModelState): void {
    const elapsedMs = atMs - this.#last.atMs;
    if (elapsedMs < 100) return;
    const rate = ((sentBytes - this.#last.sentBytes) / elapsedMs) * 1000;
    if (rate > 0) this.bytesPerSecond = rate;
    this.#last = { atMs, sentBytes };
  }
}
