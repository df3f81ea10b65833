/** Plans of a pool as it is now, and why a VM moves or stays in one. Read-only: nothing is moved. */
import {
  GodwitError,
  type PlanRequest,
  type PoolExplanation,
  type PoolPlan,
  type serverOperations,
} from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import {
  absenceOf,
  defaultOptions,
  type KnownHost,
  type PlanAnswer,
  type PlanOptions,
} from "@godwit/placement";
import { poolReports } from "../pools/pool-reports.ts";
import type { Services } from "../services.ts";

type PlanOperations = Pick<typeof serverOperations, "poolPlan" | "poolExplain">;

export function poolPlanHandlers(services: Services): Handlers<PlanOperations> {
  return {
    poolPlan: async ({ params, body }): Promise<PoolPlan> => {
      const { plan, hosts, unmeasured } = await planned(services, params.pool, body, null);
      const absent = hosts.flatMap((host) => {
        const reason = absenceOf(host);
        return reason === null ? [] : [{ host: host.name, reason }];
      });
      return { pool: params.pool, request: body, ...plan, unmeasured, absent };
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
 * @throws POOL_UNKNOWN, HOST_NOT_IN_POOL, POOL_PLAN_LATE, POOL_PLAN_FAILED, POOL_PLANS_TOO_MANY
 */
async function planned(
  services: Services,
  name: string,
  request: PlanRequest,
  explain: string | null,
): Promise<PlanAnswer & { hosts: KnownHost[] }> {
  const row = await services.store.pools.show(name);
  for (const host of request.without)
    if (!row.hosts.includes(host))
      throw GodwitError.of("HOST_NOT_IN_POOL", { host, pool: name, known: row.hosts });
  const options: PlanOptions = {
    ...defaultOptions,
    ...{ goal: request.goal, threshold: request.threshold as PlanOptions["threshold"] },
  };
  const reports = await poolReports(services, row);
  const answer = await services.planner.plan(name, { reports, options, without: request.without, explain });
  return { ...answer, hosts: reports.hosts };
}
