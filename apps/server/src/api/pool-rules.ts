/** Rules of pools: listed, made, replaced, removed. One that cannot hold beside the others is refused when it is made. */
import { GodwitError, type PoolRuleView, type serverOperations } from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import { idleReason, judgeRule } from "@godwit/placement";
import type { PoolRuleRow } from "@godwit/store";
import type { Services } from "../services.ts";

type RuleOperations = Pick<typeof serverOperations, "poolRuleList" | "poolRuleAdd" | "poolRuleRemove">;

export function poolRuleHandlers({ store, cpuLimits }: Services): Handlers<RuleOperations> {
  const views = async (pool: string): Promise<PoolRuleView[]> => {
    const { hosts } = await store.pools.show(pool);
    const [rules, vms] = await Promise.all([store.poolRules.list(pool), store.vms.list()]);
    const here = new Set(vms.flatMap((vm) => (hosts.includes(vm.host) ? [vm.id] : [])));
    const hasHost = (host: string) => hosts.includes(host);
    return rules.map((rule) =>
      viewOf(
        rule,
        idleReason(rule, hasHost, ({ id }) => here.has(id)),
      ),
    );
  };
  return {
    poolRuleList: async ({ params }) => ({ rules: await views(params.pool) }),

    poolRuleAdd: async ({ params, body }) => {
      const pool = await store.pools.show(params.pool);
      for (const host of body.hosts) {
        if (pool.hosts.includes(host)) continue;
        const { name } = await store.hosts.show(host);
        throw GodwitError.of("HOST_NOT_IN_POOL", { host: name, pool: pool.name, known: pool.hosts });
      }
      const named = await Promise.all([...new Set(body.vms)].map((vm) => store.vms.show(vm)));
      const vms = [...new Map(named.map(({ id, name }) => [id, { id, name }])).values()];
      const { name, terms } = body;
      const rule = { pool: pool.name, name, terms, vms, hosts: [...new Set(body.hosts)] };
      const [hosts, all] = await Promise.all([store.hosts.list(), store.vms.list()]);
      const facts = {
        hosts: hosts.filter((host) => pool.hosts.includes(host.name)),
        vms: all.filter((vm) => pool.hosts.includes(vm.host)),
      };
      const judge = (others: readonly PoolRuleRow[]) => {
        const reasons = judgeRule({ ...facts, rule, others });
        if (reasons.length > 0)
          throw GodwitError.of("POOL_RULE_REFUSED", { pool: pool.name, rule: name, reasons });
      };
      await store.poolRules.add(rule, judge, body.replace);
      await cpuLimits.soon();
      const made = (await views(pool.name)).find((one) => one.name === name);
      if (made === undefined)
        throw GodwitError.of("POOL_RULE_UNKNOWN", { pool: pool.name, rule: name, known: [] });
      return made;
    },

    poolRuleRemove: async ({ params }) => {
      await store.pools.show(params.pool);
      await store.poolRules.remove(params.pool, params.rule);
      await cpuLimits.soon();
      return undefined;
    },
  };
}

const viewOf = ({ name, createdAt, terms, vms, hosts }: PoolRuleRow, idle: string | null): PoolRuleView => ({
  ...{ name, createdAt: createdAt.toISOString(), terms, vms: vms.map((vm) => vm.name), hosts, idle },
});
