/** Rolling updates of pools: what one would do, and beginning it after everything that can be refused was. */
import {
  finding,
  GodwitError,
  hasProcess,
  type Finding,
  type HostFacts,
  type PoolUpdateOrder,
  type PoolUpdatePlan,
  type serverOperations,
} from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import { updateOrder } from "@godwit/placement";
import type { PoolRow } from "@godwit/store";
import { stuckVms } from "../moves/bring-back.ts";
import type { Services } from "../services.ts";

type UpdateOperations = Pick<typeof serverOperations, "poolUpdateCheck" | "poolUpdate">;

const usual = { timeoutSeconds: 1800, concurrency: 2 };

export function poolUpdateHandlers(services: Services): Handlers<UpdateOperations> {
  const { store, tasks } = services;
  return {
    poolUpdateCheck: async ({ params, body }) =>
      await planOf(services, await store.pools.show(params.pool), body),

    poolUpdate: async ({ params, body }) => {
      const { name: pool, hosts } = await store.pools.show(params.pool);
      const plan = await planOf(services, { name: pool, hosts }, body);
      if (!plan.allowed) {
        const findings = plan.hosts.flatMap((one) => one.findings);
        const refused = plan.hosts.filter((one) => isRefused(one.findings)).map(({ host }) => host);
        throw GodwitError.of("POOL_UPDATE_REFUSED", { pool, hosts: refused }, { findings });
      }
      const { command = null, reboot = false, maxOutageMs } = body;
      const { timeoutSeconds = usual.timeoutSeconds, concurrency = usual.concurrency } = body;
      const request = {
        ...{ pool, hosts: plan.hosts.map(({ host }) => host), command, reboot, timeoutSeconds, concurrency },
        ...(maxOutageMs === undefined ? {} : { maxOutageMs }),
      };
      return await tasks.start({ kind: "pool.update", request });
    },
  };
}

/** @throws POOL_EMPTY, HOST_NOT_IN_POOL */
async function planOf(
  services: Services,
  { name: pool, hosts: known }: Pick<PoolRow, "name" | "hosts">,
  order: PoolUpdateOrder,
): Promise<PoolUpdatePlan> {
  if (known.length === 0) throw GodwitError.of("POOL_EMPTY", { pool });
  const names = [...new Set(order.hosts ?? known)];
  const missing = names.find((host) => !known.includes(host));
  if (missing !== undefined) throw GodwitError.of("HOST_NOT_IN_POOL", { host: missing, pool, known });
  const hosts = await Promise.all(names.map((host) => hostPlan(services, host)));
  return {
    pool,
    allowed: !hosts.some(({ findings }) => isRefused(findings)),
    hosts: order.hosts === undefined ? updateOrder(hosts) : hosts,
  };
}

const isRefused = (findings: readonly Finding[]): boolean =>
  findings.some(({ severity }) => severity === "error");

async function hostPlan(services: Services, name: string): Promise<PoolUpdatePlan["hosts"][number]> {
  const { store, hosts } = services;
  const { agentUrl: url, unreachableReason, load } = await store.hosts.show(name);
  const vms = (await store.vms.list()).filter((vm) => vm.host === name && hasProcess(vm));
  const bytes = vms.reduce((sum, { id, config }) => {
    const resident = load?.vms.find((one) => one.id === id)?.residentBytes ?? null;
    return sum + Math.min(resident ?? Infinity, config.memoryMib * 2 ** 20);
  }, 0);
  // As it is now: its administrator may have changed its configuration, and its agent was started again.
  const asked = hosts.isUp(name)
    ? await factsOf(services, name)
    : { away: unreachableReason ?? "its agent is not connected" };
  const facts = "away" in asked ? null : asked;
  const bitsPerSecond = facts?.migration?.link.bitsPerSecond ?? null;
  const reason = "away" in asked ? asked.away : null;
  const commands = facts?.updates?.commands;
  const version = facts?.agentVersion ?? "unknown";
  return {
    ...{ host: name, vms: vms.map((vm) => vm.name), bytes },
    seconds: bytes === 0 ? 0 : bitsPerSecond === null ? null : (bytes * 8) / bitsPerSecond,
    findings: [
      ...(reason === null ? [] : [finding("HOST_UNREACHABLE", { host: name, url, reason })]),
      ...(facts !== null && commands === undefined
        ? [finding("HOST_COMMANDS_UNKNOWN", { host: name, version })]
        : []),
      ...(commands === false ? [finding("HOST_COMMANDS_OFF", { host: name })] : []),
      ...(reason === null ? (await stuckVms(services, name)).flatMap(({ findings }) => findings) : []),
    ],
  };
}

async function factsOf({ hosts }: Services, host: string): Promise<HostFacts | { away: string }> {
  try {
    return await hosts.of(host).freshFacts();
  } catch (error) {
    if (!GodwitError.is(error)) throw error;
    const { reason } = error.problem.details as { reason?: string };
    return { away: reason ?? error.message.replace(/\.$/, "") };
  }
}
