/** Plans of a pool as it is now, and why a VM moves or stays in one. Read-only: nothing is moved. */
import {
  GodwitError,
  type PlanRequest,
  type PoolExplanation,
  type PoolPlan,
  type serverOperations,
} from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import type { PoolRow } from "@godwit/store";
import {
  absenceOf,
  defaultOptions,
  type KnownHost,
  type PlanAnswer,
  type PlanOptions,
} from "@godwit/placement";
import { supposeMode, type SupposedMode } from "../pools/suppose-mode.ts";
import { poolReports } from "../pools/pool-reports.ts";
import type { Services } from "../services.ts";

type PlanOperations = Pick<typeof serverOperations, "poolPlan" | "poolExplain">;

export function poolPlanHandlers(services: Services): Handlers<PlanOperations> {
  return {
    poolPlan: async ({ params, body }): Promise<PoolPlan> => {
      const { plan, hosts, unmeasured, notes, lacking, powerCycle } = await planned(
        services,
        params.pool,
        body,
        null,
      );
      const absent = hosts.flatMap((host) => {
        const reason = absenceOf(host);
        return reason === null ? [] : [{ host: host.name, reason }];
      });
      return {
        ...{ pool: params.pool, request: body, ...plan, unmeasured, notes },
        absent: [...absent, ...lacking],
        ...(body.evcMode === undefined ? {} : { powerCycle }),
      };
    },
    poolExplain: async ({ params, body }): Promise<PoolExplanation> => {
      const vm = await services.store.vms.show(params.vm);
      const { explanation } = await planned(services, params.pool, body, vm.name);
      if (explanation !== null) return { pool: params.pool, ...explanation };
      throw GodwitError.of("VM_NOT_PLANNED", {
        vm: vm.name,
        pool: params.pool,
        state: vm.state,
        host: vm.host,
      });
    },
  };
}

/**
 * @param explain name of a VM
 * @throws POOL_UNKNOWN, HOST_NOT_IN_POOL, HOST_UNKNOWN, HOST_IN_OTHER_POOL, EVC_MODE_UNKNOWN, POOL_PLAN_LATE, POOL_PLAN_FAILED,
 *   POOL_PLANS_TOO_MANY
 */
async function planned(
  services: Services,
  name: string,
  request: PlanRequest,
  explain: string | null,
): Promise<PlanAnswer & Omit<SupposedMode, "reports"> & { hosts: KnownHost[] }> {
  const row = await services.store.pools.show(name);
  const others = await newHosts(services, row, request.add);
  for (const host of request.without)
    if (!row.hosts.includes(host))
      throw GodwitError.of("HOST_NOT_IN_POOL", { host, pool: name, known: row.hosts });
  const options: PlanOptions = {
    ...defaultOptions,
    ...{ goal: request.goal, threshold: request.threshold as PlanOptions["threshold"] },
  };
  const now = await poolReports(services, { ...row, hosts: [...row.hosts, ...others] });
  const { reports, ...supposed } =
    request.evcMode === undefined
      ? { reports: now, lacking: [], powerCycle: [] }
      : supposeMode(name, now, request.evcMode);
  const answer = await services.planner.plan(name, {
    ...{ reports, options, without: request.without, explain },
    twinsOf: request.add.filter((host) => row.hosts.includes(host)),
  });
  return { ...answer, ...supposed, hosts: reports.hosts };
}

/** Those that are not in the pool. @throws HOST_UNKNOWN, HOST_IN_OTHER_POOL */
async function newHosts(
  { store }: Services,
  { name: pool, hosts }: PoolRow,
  add: readonly string[],
): Promise<string[]> {
  const others = [...new Set(add)].filter((host) => !hosts.includes(host));
  for (const host of others) {
    const { pool: other } = await store.hosts.show(host);
    if (other !== null) throw GodwitError.of("HOST_IN_OTHER_POOL", { host, pool, other });
  }
  return others;
}
