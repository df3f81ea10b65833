/** Moves as decisions: strategies, the handoff protocol, leases, the record. Pure. */
export { shareBandwidth, type SharingMove } from "./bandwidth-shares.ts";
export { isTrusted, repeatedPassesLose, type CopySample, type CopyState } from "./copy.ts";
export { relocationStep, type CopyJob, type ImageOf, type RelocationFacts } from "./disks/relocation-step.ts";
export * from "./handoff/destination-state.ts";
export { startDestination, stepDestination } from "./handoff/destination.ts";
export { restoreDestination } from "./handoff/destination-restart.ts";
export { hearWithoutMove, type KnownMove, type WithoutMove } from "./handoff/ended-move.ts";
export {
  decideLease,
  freeLease,
  type LeaseDecision,
  type LeaseHolding,
  type LeaseQuestion,
  type LeaseState,
} from "./handoff/lease.ts";
export type { LeaseAnswer } from "./handoff/lease-answer.ts";
export * from "./handoff/messages.ts";
export * from "./handoff/phases.ts";
export * from "./handoff/source-state.ts";
export {
  journalVersion,
  readEntry,
  toDestinationWire,
  toSourceWire,
  type Wire,
} from "./handoff/versions/translate.ts";
export { limitsRefusal } from "./handoff/source-limits.ts";
export { stepSource } from "./handoff/source.ts";
export { restoreSource } from "./handoff/source-restart.ts";
export { movesAtOnce, nextMoves, type QueuedMove, type Turn, type Waiting } from "./move-queue.ts";
export { noMoments, pauseOf, standstillMs, unseenOf, type PauseMoments } from "./pause.ts";
export {
  movePhaseOfDestination,
  newRecord,
  recordDecision,
  recordDisks,
  recordSample,
  recordState,
} from "./record.ts";
export { reconcileLeases, type HeldLease, type LeaseAction, type PresentVm } from "./reconcile-leases.ts";
export {
  chooseStrategy,
  copyLimits,
  mayLeaveOutPostcopy,
  orderFor,
  orderedStrategy,
  requestedStrategy,
  strategies,
  withoutLastResort,
} from "./strategies/choose.ts";
export type {
  CopyDecision,
  CopyLimits,
  QemuCapability,
  QemuParameter,
  QemuSettings,
  Strategy,
  StrategyFacts,
  StrategyName,
} from "./strategies/strategy.ts";
