/**
 * Saves power in pools that are set to: the load of such a pool is made to fit on fewer hosts, and one of the others is powered off; it is woken
 * when the pool needs it. What is done is decided in `@godwit/placement`; emptying, powering off and on are tasks like an operator's, by the
 * actor `power`. The keeper keeps nothing itself: what it began is in the tasks, and what it decided is with the pool. Where the automation of the
 * pool is not full it only decides, and operators see what.
 */
import {
  GodwitError,
  isEnded,
  type ConsolidationDecision,
  type ConsolidationPolicy,
  type ConsolidationStep,
  type Task,
} from "@godwit/contract";
import type { ConsolidationHost } from "@godwit/placement";
import type { HostPowerRow, HostRow, PoolRow } from "@godwit/store";
import type { Logger } from "pino";
import type { Inventory } from "../inventory.ts";
import type { Planner } from "../pools/planner.ts";
import { poolReports } from "../pools/pool-reports.ts";
import { Rounds } from "../rounds.ts";
import type { TaskRunner } from "../tasks/task-runner.ts";

export interface PowerKeeperServices extends Inventory {
  tasks: Pick<TaskRunner, "start">;
  planner: Pick<Planner, "consolidate">;
}

const everyMs = 10_000;
/** A candidate that was not looked at for longer is a new one. */
const lookedMs = 120_000;
/** A VM that found no room longer ago is no reason any more. */
const shortageMs = 300_000;
/** Moves at one time; the queue of the links bounds them further. */
const concurrency = 4;
export const powerActor = "power";

export class PowerKeeper {
  readonly #services: PowerKeeperServices;
  readonly #log: Logger;
  readonly #rounds: Rounds;
  /** By pool: what it could not do, so that it is logged once. */
  readonly #told = new Map<string, string>();

  constructor(services: PowerKeeperServices, log: Logger) {
    this.#services = services;
    this.#log = log;
    this.#rounds = new Rounds(
      everyMs,
      () => this.#lookAtAll(),
      (error) => {
        log.warn({ err: error }, "which hosts could be powered off or on could not be looked at");
      },
    );
  }

  start(): void {
    this.#rounds.start();
  }

  /** Tasks under way go on. */
  async stop(): Promise<void> {
    await this.#rounds.stop();
  }

  async #lookAtAll(): Promise<void> {
    for (const pool of await this.#services.store.pools.list()) {
      if (pool.consolidation === null || pool.balance.automation === "off" || this.#rounds.isStopped)
        continue;
      try {
        await this.#look(pool, pool.consolidation);
        this.#told.delete(pool.name);
      } catch (error) {
        if (!GodwitError.is(error) || error.code === "DATABASE_UNAVAILABLE") throw error;
        if (this.#told.get(pool.name) === error.message) continue;
        this.#told.set(pool.name, error.message);
        this.#log.warn({ err: error, pool: pool.name }, "the pool could not save power");
      }
    }
  }

  async #look(pool: PoolRow, policy: ConsolidationPolicy): Promise<void> {
    const { store, planner } = this.#services;
    const now = new Date();
    const [reports, powers, rows] = await Promise.all([
      poolReports(this.#services, pool),
      store.powers.list(),
      store.hosts.list(),
    ]);
    const own = powers.filter(({ host }) => pool.hosts.includes(host));
    const hosts = await Promise.all(
      rows
        .filter(({ name }) => pool.hosts.includes(name))
        .map((row) => this.#factsOf(row, own.find(({ host }) => host === row.name) ?? null, now)),
    );
    const woken = Math.max(...own.map(({ poolWokeAt }) => poolWokeAt?.getTime() ?? 0));
    const before = candidateOf(pool, now);
    const answer = await planner.consolidate(pool.name, {
      ...{ reports, name: pool.name, hosts, policy, candidate: before },
      wokenSeconds: woken > 0 ? secondsSince(woken, now) : null,
      shortage: shortageOf(pool, woken, now),
    });
    const { step, candidate: host } = answer;
    const since = new Date(now.getTime() - (before?.host === host ? before.seconds * 1000 : 0)).toISOString();
    const candidate = host === null ? null : { host, since };
    await store.poolPolicies.decided(pool.name, {
      at: now.toISOString(),
      step,
      candidate,
      hosts: answer.hosts,
    });
    if (pool.balance.automation === "full") await this.#do(pool.name, step);
  }

  async #do(pool: string, { do: what, host, reason }: ConsolidationStep): Promise<void> {
    const { store, tasks } = this.#services;
    if (host === null || what === "nothing" || what === "soon" || what === "wait") return;
    this.#log.warn({ pool, host, do: what, reason }, "the pool saves power");
    switch (what) {
      case "empty": {
        await tasks.start({ kind: "host.enterMaintenance", request: { host, concurrency } }, powerActor);
        break;
      }
      case "off":
        await tasks.start({ kind: "host.powerOff", request: { host, force: false, pool } }, powerActor);
        break;
      case "wake":
        await tasks.start({ kind: "host.powerOn", request: { host, pool } }, powerActor);
        break;
      case "takeBack":
        await store.hosts.setMaintenance(host, "off", null);
    }
  }

  async #factsOf(row: HostRow, power: HostPowerRow | null, now: Date): Promise<ConsolidationHost> {
    const { tasks } = this.#services.store;
    const { name, maintenance } = row;
    const [emptied, off] = await Promise.all([
      tasks.newest("host.enterMaintenance", name),
      tasks.newest("host.powerOff", name),
    ]);
    const own = emptied?.actor === powerActor ? emptied : null;
    const ownOff = own !== null && off !== null && off.createdAt > own.createdAt ? off : null;
    const failed = [own, off?.actor === powerActor ? off : null].flatMap((task) =>
      task !== null && task.endedAt !== null && task.state !== "succeeded" ? [Date.parse(task.endedAt)] : [],
    );
    return {
      ...{ name, maintenance, isUp: this.#services.hosts.isUp(name), power: row.power },
      emptied: outcomeOf(own),
      poweredOff: outcomeOf(ownOff),
      failedSeconds: failed.length === 0 ? null : secondsSince(Math.max(...failed), now),
      certificateEnds:
        power?.state === "standby" && this.#services.hosts.of(name).certificateAlarms.length > 0,
    };
  }
}

const secondsSince = (ms: number, now: Date): number => (now.getTime() - ms) / 1000;

const outcomeOf = (task: Task | null): ConsolidationHost["emptied"] =>
  task === null ? null : !isEnded(task) ? "under way" : task.state === "succeeded" ? "succeeded" : "failed";

function candidateOf({ decision }: PoolRow, now: Date): { host: string; seconds: number } | null {
  const candidate: ConsolidationDecision["candidate"] = decision?.candidate ?? null;
  if (decision === null || candidate === null || now.getTime() - Date.parse(decision.at) > lookedMs)
    return null;
  return { host: candidate.host, seconds: secondsSince(Date.parse(candidate.since), now) };
}

/** What a host that was woken since was woken for. */
const shortageOf = ({ shortage }: PoolRow, wokenMs: number, now: Date): string | null =>
  shortage === null || shortage.at.getTime() <= wokenMs || now.getTime() - shortage.at.getTime() > shortageMs
    ? null
    : shortage.reason;
