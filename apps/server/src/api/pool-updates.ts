/** Rolling updates of pools: what one would do, and beginning it after everything that can be refused was. */
import {
  finding,
  GodwitError,
  hasProcess,
  type Finding,
  type HostFacts,
  type HostPower,
  type PoolUpdateOrder,
  type PoolUpdatePlan,
  type serverOperations,
} from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import { updateOrder } from "@godwit/placement";
import type { HostRow, PoolRow } from "@godwit/store";
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
      const row = await store.pools.show(params.pool);
      const { name: pool } = row;
      const plan = await planOf(services, row, body);
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
  row: Pick<PoolRow, "name" | "hosts" | "consolidation">,
  order: PoolUpdateOrder,
): Promise<PoolUpdatePlan> {
  const { name: pool, hosts: known } = row;
  if (known.length === 0) throw GodwitError.of("POOL_EMPTY", { pool });
  const names = [...new Set(order.hosts ?? known)];
  const missing = names.find((host) => !known.includes(host));
  if (missing !== undefined) throw GodwitError.of("HOST_NOT_IN_POOL", { host: missing, pool, known });
  const rows = await Promise.all(names.map((host) => services.store.hosts.show(host)));
  // What has no place while they are off has one when they were woken, which is looked at when each host is emptied.
  const wakes = rows.some((host) => host.power !== null && isWoken(host.power, row));
  const hosts = await Promise.all(rows.map((host) => hostPlan(services, host, row, wakes)));
  return {
    pool,
    allowed: !hosts.some(({ findings }) => isRefused(findings)),
    hosts: order.hosts === undefined ? updateOrder(hosts) : hosts,
  };
}

const isRefused = (findings: readonly Finding[]): boolean =>
  findings.some(({ severity }) => severity === "error");

async function hostPlan(
  services: Services,
  host: HostRow,
  pool: Pick<PoolRow, "name" | "consolidation">,
  othersWake: boolean,
): Promise<PoolUpdatePlan["hosts"][number]> {
  const { store, hosts } = services;
  if (host.power !== null && host.power.state !== null) return standbyPlan(host, host.power, pool);
  const { name, agentUrl: url, unreachableReason, load } = host;
  const vms = (await store.vms.list()).filter((vm) => vm.host === name && hasProcess(vm));
  const bytes = vms.reduce((sum, { id, config }) => {
    const resident = load?.vms.find((one) => one.id === id)?.residentBytes ?? null;
    // Huge pages are all taken at the start, and are no part of what is resident.
    const touched = config.hugepages === undefined ? resident : null;
    return sum + Math.min(touched ?? Infinity, config.memoryMib * 2 ** 20);
  }, 0);
  // As it is now: its administrator may have changed its configuration, and its agent was started again.
  const asked = hosts.isUp(name)
    ? await factsOf(services, name)
    : { away: unreachableReason ?? "its agent is not connected" };
  const facts = "away" in asked ? null : asked;
  const bitsPerSecond = facts?.migration?.link.bitsPerSecond ?? null;
  const reason = "away" in asked ? asked.away : null;
  return {
    ...{ host: name, vms: vms.map((vm) => vm.name), bytes },
    seconds: bytes === 0 ? 0 : bitsPerSecond === null ? null : (bytes * 8) / bitsPerSecond,
    findings: [
      ...(reason === null ? [] : [finding("HOST_UNREACHABLE", { host: name, url, reason })]),
      ...commandFindings(name, facts),
      ...(reason === null && !othersWake
        ? (await stuckVms(services, name)).flatMap(({ findings }) => findings)
        : []),
    ],
  };
}

/**
 * As vSphere remediates a cluster with DPM: a host that its pool has powered off to save power is powered on first, and is that of the pool again
 * afterwards. One that an operator has powered off stays off.
 */
function standbyPlan(
  { name: host, facts }: HostRow,
  power: HostPower,
  pool: Pick<PoolRow, "name" | "consolidation">,
): PoolUpdatePlan["hosts"][number] {
  const findings = isWoken(power, pool)
    ? [
        finding("HOST_WOKEN_FOR_UPDATE", { host, pool: pool.name }, "warning"),
        ...commandFindings(host, facts),
      ]
    : [finding("HOST_IN_STANDBY", { host })];
  return { host, vms: [], bytes: 0, seconds: 0, findings };
}

const isWoken = (
  { state, pool: by }: HostPower,
  { consolidation }: Pick<PoolRow, "consolidation">,
): boolean => state === "waking" || (state !== null && by !== null && consolidation !== null);

/** @param facts null: not known */
function commandFindings(host: string, facts: HostFacts | null): Finding[] {
  if (facts === null) return [];
  const version = facts.agentVersion;
  if (facts.updates === undefined) return [finding("HOST_COMMANDS_UNKNOWN", { host, version })];
  return facts.updates.commands ? [] : [finding("HOST_COMMANDS_OFF", { host })];
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
