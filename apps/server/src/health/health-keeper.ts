/**
 * Empties hosts that may fail at any time, in pools that are set to: the same task as an operator's `host maintenance enter`, by the
 * actor `health`. It keeps nothing: a host that it has emptied, or could not empty, is in maintenance or on its way there,
 * and is left to operators from then on.
 */
import { GodwitError, isEnded } from "@godwit/contract";
import { healthStep, type HostCondition } from "@godwit/placement";
import { healthState } from "@godwit/requirements";
import type { PoolRow } from "@godwit/store";
import { sleep } from "@godwit/system";
import type { Logger } from "pino";
import type { Inventory } from "../inventory.ts";
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
  readonly #stop = new AbortController();
  /** Pools of which it was told that most hosts are severe. */
  readonly #told = new Set<string>();
  #running: Promise<void> | null = null;

  constructor(services: HealthKeeperServices, log: Logger) {
    this.#services = services;
    this.#log = log;
  }

  start(): void {
    this.#running = this.#keepForEver();
  }

  /** Hosts that are being emptied go on as tasks. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #keepForEver(): Promise<void> {
    const { signal } = this.#stop;
    for (;;) {
      await sleep(everyMs, signal);
      if (signal.aborted) return;
      try {
        for (const pool of await this.#services.store.pools.list())
          if (pool.health === "evacuate") await this.#keep(pool);
      } catch (error) {
        if (!this.#isStopped()) this.#log.warn({ err: error }, "the hosts' health could not be looked at");
      }
    }
  }

  #isStopped(): boolean {
    return this.#stop.signal.aborted;
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
    return all
      .filter(({ name }) => pool.hosts.includes(name))
      .map(({ name, maintenance, load }) => ({
        ...{ name, maintenance, isUp: hosts.isUp(name), isBeingEmptied: emptied.has(name) },
        health: load === null ? null : healthState(load),
      }));
  }
}
