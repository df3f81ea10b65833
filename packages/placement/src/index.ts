/** Placement: which host a VM goes to, which VM leaves a host next, and where a VM is. Pure. */
export { chooseHost, type Candidate } from "./choose-host.ts";
export { planEvacuation, type EvacuationFacts } from "./plan-evacuation.ts";
export {
  abandoned,
  cancelledProblem,
  incompleteProblem,
  isMove,
  movedAway,
  moversOf,
  stepsOf,
  waitOf,
  type MoveTask,
  type Standing,
  type Stuck,
} from "./emptying.ts";
export type { Mover, NextMoves } from "./evacuation.ts";
export { macConflict } from "./mac-conflict.ts";
export { decideVmCommand, type Home, type VmCommand } from "./vm-commands.ts";
export { isConfirmed, placeByReport } from "./place-by-report.ts";
export { entitlements, type ShareNode } from "./load/resource-pools.ts";
export { forecast, type LoadForecast, type LoadSample } from "./load/forecast.ts";
export { ruleConflicts, type RuleConflict } from "./plan/conflicts.ts";
export { explainVm, type Explanation } from "./plan/explain.ts";
export { planPool, type Plan, type PlannedMove } from "./plan/plan-pool.ts";
export {
  defaultOptions,
  type PlanOptions,
  type Pool,
  type PoolHost,
  type PoolVm,
  type Rule,
} from "./plan/pool.ts";
export { supposed, type WhatIf } from "./plan/what-if.ts";
