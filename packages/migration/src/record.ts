/** A move's record as users see it, kept from what the source does and learns. Pure: times are given. */
import {
  decisionText,
  type MoveDecision,
  type MovedDisks,
  type MovedStorage,
  type MoveOrder,
  type MovePhase,
  type MoveProgress,
  type MoveRecord,
  type Problem,
} from "@godwit/contract";
import { etaMs, expectedOutageMs, type CopySample, type CopyState } from "./copy.ts";
import type { DestinationState } from "./handoff/destination-state.ts";
import { destinationPhases, sourcePhases } from "./handoff/phases.ts";
import type { SourceState } from "./handoff/source-state.ts";

/** The phase that users see, of the source's half. */
function movePhaseOfSource(state: SourceState, before: MovePhase): MovePhase {
  if (state.phase === "undoing") return isCancellation(state.problem) ? "cancelling" : "failing";
  if (state.phase === "cleaningUp" && before === "postcopy") return before;
  if (state.phase !== "ended") return sourcePhases[state.phase].shownAs ?? before;
  if (state.outcome?.kind === "moved") return "succeeded";
  return state.outcome?.kind === "stayed" && isCancellation(state.outcome.problem) ? "cancelled" : "failed";
}

const isCancellation = (problem: Problem | null): boolean => problem?.code === "MOVE_CANCELLED";

/** The same of the destination's half, which users see only while the source does not answer. */
export function movePhaseOfDestination({ phase, outcome }: DestinationState, before: MovePhase): MovePhase {
  if (phase === "ended") return outcome?.kind === "runs" ? "succeeded" : "failed";
  return destinationPhases[phase].shownAs ?? before;
}

/** `at`: ISO 8601. */
export function newRecord(order: MoveOrder, at: string): MoveRecord {
  return {
    id: order.id,
    vm: { id: order.vm.id, name: order.vm.name },
    from: order.from,
    to: order.to.host,
    strategy: order.objective === undefined ? order.strategy : "auto",
    phase: "planned",
    maxOutageMs: order.maxOutageMs,
    phases: [{ phase: "planned", at }],
    progress: null,
    decisions: [],
    backOuts: 0,
    stopToContMs: null,
    stopToContUnknown: null,
    pause: null,
    qemuDowntimeMs: null,
    bytes: 0,
    rounds: 0,
    encrypted: true,
    totalMs: null,
    error: null,
    pauseReason: null,
    ...(order.storage === undefined ? {} : { disks: noneCopied(order.storage) }),
  };
}

const noneCopied = ({ disks = [] }: MovedStorage): MovedDisks => ({
  at: "source",
  totalBytes: disks.reduce((sum, { usedBytes }) => sum + usedBytes, 0),
  ...{ copiedBytes: 0, bytesPerSecond: 0, etaMs: null },
});

/** How far the copy of the disks is. */
export const recordDisks = (record: MoveRecord, disks: Omit<MovedDisks, "at">): MoveRecord =>
  record.disks === undefined ? record : { ...record, disks: { ...disks, at: record.disks.at } };

/** The record after the source came to `state`. @param at ISO 8601 */
export function recordState(record: MoveRecord, state: SourceState, at: string): MoveRecord {
  const phase = movePhaseOfSource(state, record.phase);
  const next: MoveRecord = {
    ...record,
    backOuts: state.copy?.backOuts ?? record.backOuts,
    maxOutageMs: state.order.maxOutageMs,
    pauseReason: state.pauseReason,
    ...(record.disks === undefined || !state.disksRemoved
      ? {}
      : { disks: { ...record.disks, at: "destination" as const } }),
    error: state.outcome === null || state.outcome.kind === "moved" ? record.error : state.outcome.problem,
  };
  if (phase === record.phase) return next;
  return {
    ...next,
    phase,
    phases: [...record.phases, { phase, at }],
    ...(state.phase === "ended" ? { totalMs: between(record.phases[0]?.at, at) } : {}),
  };
}

export function recordSample(record: MoveRecord, copy: CopyState | null, sample: CopySample): MoveRecord {
  const progress: MoveProgress = {
    totalBytes: sample.totalBytes,
    transferredBytes: sample.transferredBytes,
    remainingBytes: sample.remainingBytes,
    bytesPerSecond: sample.bytesPerSecond,
    dirtyBytesPerSecond: sample.dirtyBytesPerSecond,
    rounds: sample.round,
    etaMs: etaMs(sample),
    expectedOutageMs: copy === null ? null : expectedOutageMs(copy, sample),
  };
  return { ...record, progress, bytes: sample.transferredBytes, rounds: sample.round };
}

export function recordDecision(record: MoveRecord, decision: MoveDecision, at: string): MoveRecord {
  return { ...record, decisions: [...record.decisions, { at, text: decisionText(decision), ...decision }] };
}

function between(from: string | undefined, to: string): number | null {
  return from === undefined ? null : Date.parse(to) - Date.parse(from);
}
