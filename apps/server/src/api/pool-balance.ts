/** How far a pool balances itself, what it recommends, and why a VM moved or stayed in a round that is past. */
import { gunzipSync } from "node:zlib";
import { GodwitError, type PoolRound, type serverOperations } from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import { explainVm, frozenVms, unpackedPool, type Plan, type PlanOptions } from "@godwit/placement";
import type { PoolRoundRow } from "@godwit/store";
import { recentMs } from "../balance/balancer.ts";
import type { Services } from "../services.ts";

type BalanceOperations = Pick<
  typeof serverOperations,
  "poolBalanceSet" | "poolRecommendations" | "poolApply" | "poolRoundExplain"
>;

export function poolBalanceHandlers({ store, balancer }: Services): Handlers<BalanceOperations> {
  /** @throws POOL_UNKNOWN, POOL_ROUND_UNKNOWN */
  const roundOf = async (pool: string, number: number | null): Promise<PoolRoundRow> => {
    await store.pools.show(pool);
    const round = await store.poolRounds.find(pool, number);
    if (round === null) throw GodwitError.of("POOL_ROUND_UNKNOWN", { pool, round: number });
    return round;
  };
  return {
    poolBalanceSet: async ({ params, body }) => {
      const { automation, threshold, goal } = body;
      return await store.poolRounds.setBalance(params.pool, {
        ...(automation === undefined ? {} : { automation }),
        ...(threshold === undefined ? {} : { threshold }),
        ...(goal === undefined ? {} : { goal }),
      });
    },

    poolRecommendations: async ({ params }) => {
      const { hosts } = await store.pools.show(params.pool);
      const nowMs = Date.now();
      const [round, recent, vms] = await Promise.all([
        store.poolRounds.find(params.pool, null),
        store.tasks.recentMoves(new Date(nowMs - recentMs)),
        store.vms.list(),
      ]);
      const frozen = frozenVms(recent, nowMs);
      return {
        round: round === null ? null : viewOf(round),
        frozen: vms.flatMap(({ id, name, host }) => {
          const one = frozen.get(id);
          if (one === undefined || !hosts.includes(host)) return [];
          return [{ vm: name, until: new Date(one.untilMs).toISOString(), task: one.task }];
        }),
      };
    },

    poolApply: async ({ params, body }) => {
      const round = await roundOf(params.pool, body.round);
      const newest = await store.poolRounds.find(params.pool, null);
      if (newest !== null && newest.number !== round.number)
        throw GodwitError.of("POOL_ROUND_PAST", {
          pool: params.pool,
          round: round.number,
          newest: newest.number,
        });
      balancer.apply(round, () => Promise.resolve(true));
      return viewOf(round);
    },

    poolRoundExplain: async ({ params }) => {
      const vm = await store.vms.show(params.vm);
      const round = await roundOf(params.pool, params.round === "last" ? null : Number(params.round));
      const inputs = await store.poolRounds.inputs(params.pool, round.number);
      const { pool, options } = JSON.parse(gunzipSync(inputs ?? "").toString()) as {
        pool: string | null;
        options: PlanOptions;
      };
      const explanation =
        pool === null ? null : explainVm(unpackedPool(pool), options, round.plan as Plan, vm.name);
      if (explanation !== null) return { pool: params.pool, ...explanation };
      const { state, host } = vm;
      throw GodwitError.of("VM_NOT_PLANNED", { vm: vm.name, pool: params.pool, state, host });
    },
  };
}

const viewOf = ({ pool, number, at, balance, plan, moves, unmeasured }: PoolRoundRow): PoolRound => ({
  ...{ pool, round: number, at: at.toISOString(), balance, moves, unmeasured },
  stuck: (plan as Plan).stuck,
});
