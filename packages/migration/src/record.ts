/** A move's record as users see it, kept from what the source does and learns. Pure: times are given. */
import type { MoveOrder, MovePhase, MoveProgress, MoveRecord } from "@godwit/contract";
import { etaMs, expectedOutageMs, type CopySample, type CopyState } from "./copy.ts";
import type { SourceState } from "./handoff/source-state.ts";
import { mayFollow } from "./phases.ts";

const phaseOf = (state: SourceState): MovePhase => {
  switch (state.phase) {
    case "sharing":
    case "preparing":
      return "preparing";
    case "copying":
      return "copying";
    case "pausing":
    case "switching":
      return "switching";
    case "committed":
    case "serving":
    case "leaving":
      return "committed";
    case "undoing":
      return state.problem?.code === "MOVE_CANCELLED" ? "cancelling" : "failing";
    case "ended":
      if (state.outcome?.kind === "moved") return "succeeded";
      if (state.outcome?.kind === "stayed" && state.outcome.problem.code === "MOVE_CANCELLED")
        return "cancelled";
      return "failed";
  }
};

/** `at`: ISO 8601. */
export function newRecord(order: MoveOrder, at: string): MoveRecord {
  return {
    id: order.id,
    vm: { id: order.vm.id, name: order.vm.name },
    from: order.from,
    to: order.to.host,
    strategy: order.strategy,
    phase: "planned",
    maxOutageMs: order.maxOutageMs,
    phases: [{ phase: "planned", at }],
    progress: null,
    decisions: [],
    backOuts: 0,
    stopToContMs: null,
    qemuDowntimeMs: null,
    bytes: 0,
    rounds: 0,
    encrypted: true,
    totalMs: null,
    error: null,
  };
}

/** The record after the source came to `state`; phases that went by unseen are entered too. */
export function recordState(record: MoveRecord, state: SourceState, at: string): MoveRecord {
  const phase = phaseOf(state);
  const next: MoveRecord = {
    ...record,
    backOuts: state.copy?.backOuts ?? record.backOuts,
    error: state.outcome === null || state.outcome.kind === "moved" ? record.error : state.outcome.problem,
  };
  if (phase === record.phase) return next;
  const path = mayFollow(record.phase, phase) ? [phase] : [...unseen(record.phase, phase), phase];
  return {
    ...next,
    phase,
    phases: [...record.phases, ...path.map((entry) => ({ phase: entry, at }))],
    ...(state.phase === "ended" ? { totalMs: between(record.phases[0]?.at, at) } : {}),
  };
}

/** The shortest way between two phases of the table that are not neighbours; empty where there is none. */
function unseen(from: MovePhase, to: MovePhase): MovePhase[] {
  const all: MovePhase[] = ["preparing", "copying", "switching", "committed", "cancelling", "failing"];
  const queue: MovePhase[][] = [[]];
  const seen = new Set<MovePhase>([from]);
  for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
    const here = path.at(-1) ?? from;
    if (mayFollow(here, to)) return path;
    for (const next of all.filter((phase) => mayFollow(here, phase) && !seen.has(phase))) {
      seen.add(next);
      queue.push([...path, next]);
    }
  }
  return [];
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

export function recordDecision(record: MoveRecord, text: string, at: string): MoveRecord {
  return { ...record, decisions: [...record.decisions, { at, text }] };
}

function between(from: string | undefined, to: string): number | null {
  return from === undefined ? null : Date.parse(to) - Date.parse(from);
}
