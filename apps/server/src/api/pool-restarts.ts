/** Whether a pool starts VMs again that died, and what becomes of them. */
import type { PoolRestarts, serverOperations } from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import type { Services } from "../services.ts";

type RestartOperations = Pick<typeof serverOperations, "poolRestartSet" | "poolRestarts">;

export function poolRestartHandlers({ store, restarter }: Services): Handlers<RestartOperations> {
  const view = async (name: string): Promise<PoolRestarts> => {
    const pool = await store.pools.show(name);
    return {
      pool: pool.name,
      since: pool.restartSince?.toISOString() ?? null,
      vms: pool.restartSince === null ? [] : await restarter.look(pool),
    };
  };
  return {
    poolRestartSet: async ({ params, body }) => {
      await store.poolPolicies.setRestart((await store.pools.show(params.pool)).name, body.enabled);
      return await view(params.pool);
    },
    poolRestarts: async ({ params }) => await view(params.pool),
  };
}
