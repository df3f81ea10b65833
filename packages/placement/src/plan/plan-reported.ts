/**
 * A pool is planned as it was reported, with what is supposed of it. All that takes long is in here, so that it can be
 * done in another thread: question and answer are plain data.
 */
import { explainVm, type Explanation } from "./explain.ts";
import { planPool, type Plan } from "./plan-pool.ts";
import type { VmView } from "@godwit/contract";
import { poolFromReports, poolToPlace, type PoolReports } from "./pool-from-reports.ts";
import { defaultOptions, type PlanOptions, type Pool } from "./pool.ts";
import { planNotes } from "./plan-notes.ts";
import { supposed, withTwins } from "./what-if.ts";

export interface PlanQuestion {
  reports: PoolReports;
  options: PlanOptions;
  /** Hosts that are to be emptied. */
  without: readonly string[];
  /** Hosts of which the pool is to have one more that is alike; each once for every one. */
  twinsOf?: readonly string[];
  /** Name of a VM that is to be explained; null: none. */
  explain: string | null;
  /** Whether the pool that was planned is answered, too. */
  withPool?: boolean;
}

export interface PlanAnswer {
  plan: Plan;
  /** Null: none was asked for, or the pool has no such VM. */
  explanation: Explanation | null;
  /** VMs whose load is not known well enough to move them for it. */
  unmeasured: string[];
  /** Why it can do little or nothing, as sentences. */
  notes: string[];
  /** Null: it was not asked for. */
  pool: Pool | null;
}

/** @param name of the pool, for what is told of it */
export function planReported(question: PlanQuestion, name = "POOL"): PlanAnswer {
  const { reports, options, without, twinsOf = [], explain, withPool } = question;
  const pool = withTwins(supposed(poolFromReports(reports), { without, add: [] }), twinsOf);
  const plan = planPool(pool, options);
  const unmeasured = pool.vms.flatMap((vm) => (vm.unmeasured === undefined ? [] : [vm.name]));
  return {
    plan,
    explanation: explain === null ? null : explainVm(pool, options, plan, explain),
    unmeasured,
    notes: planNotes(name, pool),
    pool: withPool === true ? pool : null,
  };
}

export interface PlaceQuestion {
  reports: Omit<PoolReports, "busy">;
  /** It does not run yet, or is to leave its host. */
  vm: VmView;
}

export interface PlaceAnswer {
  /** Null: none can take it. */
  host: string | null;
  /** What stands against each of the others, as a part of a sentence. */
  against: string[];
}

export function placeReported({ reports, vm }: PlaceQuestion): PlaceAnswer {
  const pool = poolToPlace(reports, vm);
  if (pool === null) return { host: null, against: [] };
  const options: PlanOptions = { ...defaultOptions, threshold: 1, admission: false };
  const plan = planPool(pool, options);
  const explained = explainVm(pool, options, plan, vm.name);
  return {
    host: plan.moves.find((move) => move.vm === vm.name)?.to ?? null,
    against: (explained?.candidates ?? []).flatMap(({ host, against: [first] }) =>
      first === undefined ? [] : [`${host}: ${first}`],
    ),
  };
}
