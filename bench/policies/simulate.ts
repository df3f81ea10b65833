/**
 * One copy under a policy of another system, by the same model that Godwit's controller is played with. QEMU's part is
 * that of the real one: it ends a pass when what is left of it would fit its downtime limit, looks for changes, and
 * switches where all of it fits.
 */
import {
  advance,
  beginModel,
  dirtyOf,
  nextPass,
  play,
  transferMs,
  type Guest,
  type Link,
  type ModelState,
  type Played,
} from "@godwit/migration/play";
import { objectives } from "@godwit/contract";
import type { Policy, Step } from "./policy.ts";

export interface Trace {
  readonly guest: Guest;
  readonly link: Link;
}

export interface Outcome {
  readonly ended: boolean;
  readonly totalMs: number;
  readonly pauseMs: number;
  readonly bytes: number;
  readonly workLostMs: number;
}

/** The part of a pause that does not depend on what is left: the same for all. */
const fixedMs = 8;
const stepMs = 20;
/** What a guest loses of its work while it takes memory from the source as it needs it; the same for all. */
const faultShare = 0.5;
const endlessMs = 3_600_000;

/** Godwit with its defaults, for a guest under KVM. */
export function runGodwit({ guest, link }: Trace): Outcome {
  const objective = { name: "normal", ...objectives.normal } as const;
  return outcomeOf(play(guest, link, { objective, maxOutageMs: 50, fixedMs }));
}

const outcomeOf = ({ end, totalMs, pauseMs, sentBytes, workLostMs }: Played): Outcome => ({
  ended: end === "moved" || end === "postcopy",
  ...{ totalMs, pauseMs, bytes: sentBytes, workLostMs },
});

export function run(policy: Policy, { guest, link }: Trace): Outcome {
  const decide = policy.begin();
  let limitMs = policy.downtimeMs;
  let model = beginModel(guest);
  let [lookedAtMs, wasRound, dirtied] = [0, 1, 0];
  let second = { atMs: 0, sentBytes: 0, dirtied: 0, pace: 0, isDirtyRateHigh: false };
  const end = (ended: boolean, pauseMs: number, more: { bytes?: number; splitMs?: number } = {}): Outcome => {
    const splitMs = more.splitMs ?? 0;
    return {
      ended,
      totalMs: model.atMs + Math.max(pauseMs, splitMs),
      pauseMs,
      bytes: model.sentBytes + (more.bytes ?? 0),
      workLostMs: model.throttledMs + pauseMs + splitMs * faultShare,
    };
  };
  const stopGuest = (): Outcome => {
    const bytes = left(model);
    return end(true, transferMs(link, model.atMs, bytes, endlessMs) + fixedMs, { bytes });
  };

  while (model.atMs < endlessMs) {
    const before = dirtyOf(model);
    model = advance(model, guest, link, stepMs);
    dirtied += Math.max(0, dirtyOf(model) - before);
    if (model.atMs - second.atMs >= 1000) second = lookBack(model, dirtied, second);
    const pace = second.pace > 0 ? second.pace : link(model.atMs);
    const fitsBytes = (pace * limitMs) / 1000;
    if (model.leftBytes <= fitsBytes) {
      if (left(model) <= fitsBytes) return stopGuest();
      model = nextPass(model, model.leftBytes);
    }
    const passBegins = model.round > wasRound;
    if (model.atMs - lookedAtMs < policy.everyMs) continue;
    [lookedAtMs, wasRound] = [model.atMs, model.round];
    const step: Step = decide({
      ...{ atMs: model.atMs, round: model.round, remainingBytes: model.leftBytes, passBegins },
      ...{ sentBytes: model.sentBytes, bytesPerSecond: pace, totalBytes: guest.touchedBytes },
      isDirtyRateHigh: second.isDirtyRateHigh,
    });
    switch (step.do) {
      case "goOn":
        break;
      case "limit":
        limitMs = step.downtimeMs;
        break;
      case "throttle":
        model = { ...model, throttle: step.share };
        break;
      case "stop":
        return stopGuest();
      case "postcopy": {
        const bytes = left(model);
        return end(true, 2 * fixedMs, { bytes, splitMs: transferMs(link, model.atMs, bytes, endlessMs) });
      }
      case "abort":
        return end(false, 0);
    }
  }
  return end(false, 0);
}

const left = (model: ModelState): number => model.leftBytes + dirtyOf(model);

interface Second {
  readonly atMs: number;
  readonly sentBytes: number;
  readonly dirtied: number;
  readonly pace: number;
  readonly isDirtyRateHigh: boolean;
}

function lookBack({ atMs, sentBytes }: ModelState, dirtied: number, last: Second): Second {
  const sent = sentBytes - last.sentBytes;
  const pace = (sent / (atMs - last.atMs)) * 1000;
  return { atMs, sentBytes, dirtied, pace, isDirtyRateHigh: dirtied - last.dirtied > sent / 2 };
}
