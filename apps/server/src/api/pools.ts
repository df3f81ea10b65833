/** Pools: made, shown, changed, removed. Every change is judged on the hosts as they are now, then written at once. */
import {
  GodwitError,
  theBaseline,
  type Baseline,
  type Finding,
  type PoolChange,
  type PoolView,
  type serverOperations,
} from "@godwit/contract";
import { evcModeNamed, hostAdmission, modeChange, modeId, type EvcPool } from "@godwit/cpu";
import type { Handlers } from "@godwit/http";
import { pendingVms } from "@godwit/requirements";
import type { PoolRow } from "@godwit/store";
import { evcHosts, vmsOn } from "../pools/pool-hosts.ts";
import type { Services } from "../services.ts";

type PoolOperations = Pick<
  typeof serverOperations,
  | "poolList"
  | "poolShow"
  | "poolCreate"
  | "poolDelete"
  | "poolHostCheck"
  | "poolHostAdd"
  | "poolHostRemove"
  | "poolEvcCheck"
  | "poolEvcSet"
  | "poolHealthSet"
  | "poolAdmissionSet"
  | "poolGuestResetSet"
  | "poolConsolidationSet"
  | "poolConsolidationShow"
>;

/** A change that was judged, and the baseline that it leads to. */
interface Judged {
  change: PoolChange;
  baseline: Baseline | null;
}

export function poolHandlers(services: Services): Handlers<PoolOperations> {
  const { store } = services;

  const viewOf = async (pool: PoolRow): Promise<PoolView> => ({
    name: pool.name,
    createdAt: pool.createdAt.toISOString(),
    baseline: pool.baseline,
    hosts: pool.hosts,
    restartsVms: pool.restartSince !== null,
    health: pool.health,
    admission: pool.admission,
    guestReset: pool.guestReset,
    consolidation: pool.consolidation,
    balance: pool.balance,
    pendingVms: pendingVms(pool, await store.vms.list()),
  });

  /** @throws HOST_UNKNOWN, HOST_IN_OTHER_POOL */
  const free = async (pool: string, host: string): Promise<void> => {
    const row = await store.hosts.show(host);
    if (row.pool !== null && row.pool !== pool)
      throw GodwitError.of("HOST_IN_OTHER_POOL", { host, pool, other: row.pool });
  };

  const judgeMode = async (
    pool: Pick<PoolRow, "name" | "baseline" | "hosts">,
    mode: string | null,
  ): Promise<Judged> => {
    const id = mode === null ? null : modeId(evcModeNamed(mode));
    const { findings, pendingVms, microcode } = modeChange({
      pool: evcPool(pool),
      mode: id,
      hosts: await evcHosts(services, pool.hosts),
      running: await vmsOn(services, pool.hosts),
    });
    return {
      change: changeOf(pool.name, findings, pendingVms),
      baseline: id === null ? null : { mode: id, microcode },
    };
  };

  const judgeHost = async (pool: PoolRow, name: string): Promise<Judged> => {
    const [host] = await evcHosts(services, [name]);
    if (host === undefined) throw new TypeError("one host was asked");
    const { findings, microcode } = hostAdmission({
      pool: evcPool(pool),
      host,
      running: await vmsOn(services, [name]),
      inPool: await vmsOn(services, pool.hosts),
    });
    return {
      change: changeOf(pool.name, findings, []),
      baseline: pool.baseline === null ? null : { mode: pool.baseline.mode, microcode },
    };
  };

  return {
    poolList: async () => ({ pools: await Promise.all((await store.pools.list()).map(viewOf)) }),
    poolShow: async ({ params }) => await viewOf(await store.pools.show(params.pool)),

    poolCreate: async ({ body }) => {
      const { name, evcMode } = body;
      const hosts = [...new Set(body.hosts)].sort();
      const lastTask = await store.pools.lastTask();
      for (const host of hosts) await free(name, host);
      const empty = { name, baseline: null, hosts };
      const { change, baseline } = await judgeMode(empty, evcMode ?? null);
      refuse(change, "was not created");
      await store.pools.create({ ...empty, baseline }, lastTask);
      return await viewOf(await store.pools.show(name));
    },

    poolDelete: async ({ params }) => {
      await store.pools.show(params.pool);
      await store.pools.remove(params.pool);
      return undefined;
    },

    poolHealthSet: async ({ params, body }) => {
      await store.poolPolicies.setHealth(params.pool, body.policy);
      return await viewOf(await store.pools.show(params.pool));
    },

    poolAdmissionSet: async ({ params, body }) => {
      await store.poolPolicies.setAdmission(params.pool, body.enabled);
      return await viewOf(await store.pools.show(params.pool));
    },

    poolGuestResetSet: async ({ params, body }) => {
      await store.poolPolicies.setGuestReset(params.pool, body.policy);
      return await viewOf(await store.pools.show(params.pool));
    },

    poolConsolidationSet: async ({ params, body }) => {
      await store.poolPolicies.setConsolidation(params.pool, body.policy);
      return await viewOf(await store.pools.show(params.pool));
    },

    poolConsolidationShow: async ({ params }) => {
      const { name, consolidation, decision, balance } = await store.pools.show(params.pool);
      return { pool: name, policy: consolidation, acts: balance.automation === "full", decision };
    },

    poolHostCheck: async ({ params }) =>
      (await judgeHost(await store.pools.show(params.pool), params.host)).change,

    poolHostAdd: async ({ params }) => {
      const pool = await store.pools.show(params.pool);
      await free(pool.name, params.host);
      if (!pool.hosts.includes(params.host)) {
        const { change, baseline } = await judgeHost(pool, params.host);
        refuse(change, `did not take in host ${params.host}`);
        await store.pools.addHost(pool, params.host, baseline);
      }
      return await viewOf(await store.pools.show(pool.name));
    },

    poolHostRemove: async ({ params }) => {
      const pool = await store.pools.show(params.pool);
      await store.hosts.show(params.host);
      await store.pools.removeHost(pool.name, params.host);
      return await viewOf(await store.pools.show(pool.name));
    },

    poolEvcCheck: async ({ params, body }) =>
      (await judgeMode(await store.pools.show(params.pool), body.evcMode)).change,

    poolEvcSet: async ({ params, body }) => {
      const pool = await store.pools.show(params.pool);
      const { change, baseline } = await judgeMode(pool, body.evcMode);
      refuse(
        change,
        body.evcMode === null ? "kept its EVC mode" : `was not set to ${theBaseline(body.evcMode)}`,
      );
      await store.pools.setBaseline(pool, baseline);
      return change;
    },
  };
}

const evcPool = ({ name, baseline, hosts }: Pick<PoolRow, "name" | "baseline" | "hosts">): EvcPool => ({
  name,
  empty: hosts.length === 0,
  mode: baseline?.mode ?? null,
  microcode: baseline?.microcode ?? [],
});

const changeOf = (pool: string, findings: Finding[], pendingVms: string[]): PoolChange => ({
  pool,
  allowed: findings.every(({ severity }) => severity !== "error"),
  findings,
  pendingVms,
});

function refuse({ pool, allowed, findings }: PoolChange, what: string): void {
  if (allowed) return;
  const count = findings.filter(({ severity }) => severity === "error").length;
  throw GodwitError.of("POOL_CHANGE_REFUSED", { pool, what, count }, { findings });
}
