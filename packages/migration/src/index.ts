/** Moves as decisions: phases, when to switch, the handoff protocol, the record. Pure. */
export {
  beginCopy,
  decideCopy,
  isTrusted,
  ownLimitMs,
  repeatedPassesLose,
  type CopyDecision,
  type CopySample,
  type CopyState,
} from "./copy.ts";
export * from "./handoff/destination-state.ts";
export { restoreDestination, startDestination, stepDestination } from "./handoff/destination.ts";
export {
  decideLease,
  freeLease,
  type LeaseDecision,
  type LeaseHolding,
  type LeaseQuestion,
  type LeaseState,
} from "./handoff/lease.ts";
export * from "./handoff/messages.ts";
export * from "./handoff/source-state.ts";
export { restoreSource, stepSource } from "./handoff/source.ts";
export { isFinal, mayFollow, transitions } from "./phases.ts";
export { newRecord, recordDecision, recordSample, recordState } from "./record.ts";
export { leaseUpkeep, type HeldLease, type UpkeepAction } from "./upkeep.ts";
