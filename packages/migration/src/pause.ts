/**
 * The pause of a moving VM, taken apart: from the moments that the source saw, the times that the destination measured
 * of its own part, and the way between them. Clocks of different hosts are never compared.
 */
import type { MovePause } from "@godwit/contract";
import type { StartTimes } from "./handoff/messages.ts";

/** Moments at the source, in ms of its wall clock; null: not seen. */
export interface PauseMoments {
  /** The strategy decided to switch; null where QEMU stopped the guest by itself. */
  readonly decidedAtMs: number | null;
  /** QEMU's STOP. */
  readonly stoppedAtMs: number | null;
  /** QEMU waits for the last veto. */
  readonly preSwitchoverAtMs: number | null;
  /** QEMU goes on with the device state. */
  readonly deviceAtMs: number | null;
  /** Everything that the guest needs has arrived: QEMU's `completed`, or the destination's `ready`. */
  readonly completedAtMs: number | null;
  readonly committedAtMs: number | null;
  /** The destination's first word that the guest runs. */
  readonly answeredAtMs: number | null;
}

export const noMoments: PauseMoments = {
  decidedAtMs: null,
  stoppedAtMs: null,
  preSwitchoverAtMs: null,
  deviceAtMs: null,
  completedAtMs: null,
  committedAtMs: null,
  answeredAtMs: null,
};

/** @param commitToAnswerMs from the commit's arrival at the destination to its answer, by the destination's clock */
export function pauseOf(
  moments: PauseMoments,
  start: StartTimes | null,
  commitToAnswerMs: number,
): MovePause {
  const { decidedAtMs, stoppedAtMs, preSwitchoverAtMs, deviceAtMs, completedAtMs, committedAtMs } = moments;
  const wayMs = between(committedAtMs, moments.answeredAtMs);
  return {
    decisionMs: between(decidedAtMs, stoppedAtMs),
    lastPagesMs: between(stoppedAtMs, preSwitchoverAtMs),
    vetoMs: between(preSwitchoverAtMs, deviceAtMs),
    deviceStateMs: between(deviceAtMs, completedAtMs),
    commitMs: between(completedAtMs, committedAtMs),
    commitTravelMs:
      wayMs === null || commitToAnswerMs === 0 ? null : atLeastZero((wayMs - commitToAnswerMs) / 2),
    contMs: start?.contMs ?? null,
    resumeMs: start?.resumeMs ?? null,
    announceMs: null,
  };
}

/** How long the vCPUs stood still, in ms: the sum of the parts from STOP to RESUME; null when one was not measured. */
export function standstillMs(pause: MovePause): number | null {
  const { lastPagesMs, vetoMs, deviceStateMs, commitMs, commitTravelMs, contMs, resumeMs } = pause;
  const parts = [lastPagesMs, vetoMs, deviceStateMs, commitMs, commitTravelMs, contMs, resumeMs];
  return parts.reduce<number | null>(
    (sum, part) => (sum === null || part === null ? null : rounded(sum + part)),
    0,
  );
}

const whatOf = {
  lastPagesMs: "when the guest was stopped, or its last pages were sent",
  vetoMs: "when QEMU was let go on",
  deviceStateMs: "when the device state was sent",
  commitMs: "when the copy was complete",
  commitTravelMs: "the commit's way to the destination",
  contMs: "when the destination began to let the guest run",
  resumeMs: "when the guest ran at the destination",
} as const;

/** Which parts of a standstill were not seen, the end of a sentence; null: all were. @param pause null: none was */
export function unseenOf(pause: MovePause | null): string | null {
  if (pause === null) return "nothing of the switch was seen: an agent was restarted in it";
  const unseen = (Object.keys(whatOf) as (keyof typeof whatOf)[]).filter((part) => pause[part] === null);
  return unseen.length === 0 ? null : `it was not seen ${unseen.map((part) => whatOf[part]).join(", ")}`;
}

function between(from: number | null, to: number | null): number | null {
  return from === null || to === null ? null : atLeastZero(to - from);
}

/** The clocks within a host agree to a fraction of a millisecond: what happened at once may seem the wrong way round. */
const atLeastZero = (ms: number): number => rounded(Math.max(0, ms));
/** To hundredths of a millisecond. */
const rounded = (ms: number): number => Math.round(ms * 100) / 100;
