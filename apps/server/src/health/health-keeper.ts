/**
 * Empties hosts that may fail at any time, in pools that are set to: the same task as an operator's `host maintenance enter`, by the
 * actor `health`. It keeps nothing: a host whose emptying has ended since it became severe, well or not, is left to operators: they may
 * take it back as it is.
 */
import { GodwitError, isEnded } from "@godwit/contract";
import { healthStep, type HostCondition } from "@godwit/placement";
import { ownHealth } from "@godwit/requirements";
import type { PoolRow } from "@godwit/store";
import type { Logger } from "pino";
import type { Inventory } from "../inventory.ts";
import { Rounds } from "../rounds.ts";
import type { TaskRunner } from "../tasks/task-runner.ts";

export interface HealthKeeperServices extends Inventory {
  tasks: Pick<TaskRunner, "start">;
}

const everyMs = 10_000;
export const healthActor = "health";
/** Moves at one time; the queue of the links bounds them further. */
const concurrency = 4;

export class HealthKeeper {
  readonly #services: HealthKeeperServices;
  readonly #log: Logger;
  readonly #rounds: Rounds;
  /** Pools of which it was told that most hosts are severe. */
  readonly #told = new Set<string>();

  constructor(services: HealthKeeperServices, log: Logger) {
    this.#services = services;
    this.#log = log;
    this.#rounds = new Rounds(
      everyMs,
      () => this.#keepAll(),
      (error) => {
        log.warn({ err: error }, "the hosts' health could not be looked at");
      },
    );
  }

  start(): void {
    this.#rounds.start();
  }

  /** Hosts that are being emptied go on as tasks. */
  async stop(): Promise<void> {
    await this.#rounds.stop();
  }

  async #keepAll(): Promise<void> {
    for (const pool of await this.#services.store.pools.list())
      if (pool.health === "evacuate") await this.#keep(pool);
  }

  async #keep(pool: PoolRow): Promise<void> {
    const step = healthStep(pool.health, await this.#conditions(pool));
    if (step?.do !== "alone") this.#told.delete(pool.name);
    if (step === null || step.do === "wait") return;
    if (step.do === "alone") {
      if (this.#told.has(pool.name)) return;
      this.#told.add(pool.name);
      this.#log.warn({ pool: pool.name, hosts: step.hosts }, "most hosts are not well: none is emptied");
      return;
    }
    try {
      const request = { host: step.host, concurrency };
      const task = await this.#services.tasks.start({ kind: "host.enterMaintenance", request }, healthActor);
      this.#log.warn({ pool: pool.name, host: step.host, task: task.id }, "host is emptied: it may fail");
    } catch (error) {
      if (!GodwitError.is(error) || error.code === "DATABASE_UNAVAILABLE") throw error;
      this.#log.warn({ err: error, host: step.host }, "host could not be emptied");
    }
  }

  async #conditions(pool: PoolRow): Promise<HostCondition[]> {
    const { store, hosts } = this.#services;
    const [all, unfinished] = await Promise.all([store.hosts.list(), store.tasks.unfinished()]);
    const emptied = new Set(
      unfinished.flatMap((task) =>
        task.kind === "host.enterMaintenance" && !isEnded(task) ? [task.request.host] : [],
      ),
    );
    const healths = ownHealth(all, Date.now());
    return await Promise.all(
      all
        .filter(({ name }) => pool.hosts.includes(name))
        .map(async ({ name, maintenance }) => ({
          ...{ name, maintenance, isUp: hosts.isUp(name), isBeingEmptied: emptied.has(name) },
          health: healths.get(name)?.health ?? null,
          wasEmptied: await this.#wasEmptiedSince(name, healths.get(name)?.severeSince ?? null),
        })),
    );
  }

  async #wasEmptiedSince(host: string, since: string | null): Promise<boolean> {
    if (since === null) return false;
    const last = await this.#services.store.tasks.newest("host.enterMaintenance", host);
    return last?.endedAt != null && last.endedAt > since;
  }
}
