/** Placement: which host a VM goes to, which VM leaves a host next, and where a VM is. Pure. */
export { chooseHost, type Candidate, type Needs } from "./choose-host.ts";
export { planEvacuation, type EvacuationFacts } from "./plan-evacuation.ts";
export {
  abandoned,
  awayFrom,
  cancelledProblem,
  incompleteProblem,
  isMove,
  isStop,
  movedAway,
  moveStep,
  moversOf,
  notStopped,
  stoppedHere,
  stepsOf,
  timedOutProblem,
  waitOf,
  type MoveTask,
  type Standing,
  type Stuck,
} from "./emptying.ts";
export { choiceFor, isOffSince, restOf, type Choices } from "./cannot-move.ts";
export { deadlineMet, evacuationTime } from "./evacuation-time.ts";
export type { Mover, NextMoves } from "./evacuation.ts";
export {
  nextRenewal,
  renewalEnd,
  renewalOf,
  type Outdated,
  type RenewalStanding,
  type VmRenewal,
} from "./qemu-renewal.ts";
export { forecast, type LoadForecast } from "./load/forecast.ts";
export { cpuLimits } from "./plan/cpu-limits.ts";
export { cpuWeights } from "./plan/cpu-weights.ts";
export { knownLoads, type KnownLoad } from "./load/history.ts";
export { usageOver } from "./load/usage-over.ts";
export { LoadWindows, resolutions, type HostSample } from "./load/windows.ts";
export {
  frozenVms,
  nextOfRound,
  packedPool,
  restSkipped,
  settledSince,
  unpackedPool,
  whyNot,
} from "./balance.ts";
export { healthStep, isQuarantined, type HealthStep, type HostCondition } from "./unhealthy-hosts.ts";
export {
  consolidate,
  type ConsolidationAnswer,
  type ConsolidationHost,
  type ConsolidationQuestion,
} from "./consolidation.ts";
export { commonMachine } from "./common-machine.ts";
export { guestPolicies, judgeGuest } from "./guest-reset.ts";
export { macConflict } from "./mac-conflict.ts";
export { decideVmCommand, type Home, type VmCommand } from "./vm-commands.ts";
export { isConfirmed, placeByReport } from "./place-by-report.ts";
export { admitStart, type AdmissionAnswer, type AdmissionQuestion } from "./plan/admit-start.ts";
export { explainVm } from "./plan/explain.ts";
export { planPool, type Plan } from "./plan/plan-pool.ts";
export { judgeRule } from "./plan/judge-rule.ts";
export {
  placeReported,
  planReported,
  type PlaceAnswer,
  type PlaceQuestion,
  type PlanAnswer,
  type PlanQuestion,
} from "./plan/plan-reported.ts";
export { absenceOf, poolFromReports, type KnownHost, type PoolReports } from "./plan/pool-from-reports.ts";
export { brokenRules, type Places } from "./rules/broken-rules.ts";
export { idleReason, ruleFinding, type PoolRule } from "./rules/pool-rule.ts";
export { defaultOptions, type PlanOptions, type Pool } from "./plan/pool.ts";
export {
  hostsThatFailed,
  judgeDeath,
  judgeLease,
  orderRestarts,
  restartTerms,
  startsAtOnce,
  usualPriority,
  type KnownLease,
  type RecentRestart,
  type RestartFacts,
  type RestartVerdict,
} from "./restart.ts";
export {
  commandTrouble,
  currentHost,
  lostParts,
  newHostUpdate,
  updateEnd,
  updateOrder,
  updateSteps,
} from "./pool-update.ts";
