/**
 * What a task's `run` works with: its own row, steps whose results are kept, the hosts, and retries where a
 * database or a host does not answer.
 */
import { randomUUID } from "node:crypto";
import {
  GodwitError,
  taskDefinitionOf,
  waitForHost,
  type Task,
  type TaskId,
  type TaskKind,
  type TaskOf,
  type TaskRequest,
  type TaskStep,
  type TaskStepKey,
  type TaskWait,
} from "@godwit/contract";
import type { NewTask, Store, TaskChange } from "@godwit/store";
import type { Logger } from "pino";
import type { z } from "zod";
import type { HostLink } from "../hosts/host-link.ts";
import type { HostLinks } from "../hosts/host-links.ts";
import type { MoveBandwidth } from "../moves/move-bandwidth.ts";
import type { MoveQueue } from "../moves/move-queue.ts";
import type { PowerControls } from "../power/power-controls.ts";
import type { CloudInitData } from "./cloud-init-data.ts";
import type { TaskChanges, TaskWatch } from "./task-changes.ts";
import { aborted, sleep } from "@godwit/system";

const retryMs = 500;
const hostRetryMs = 2000;

/** What all tasks of a server share. */
export interface TaskServices {
  store: Store;
  hosts: HostLinks;
  power: PowerControls;
  changes: TaskChanges;
  cloudInit: CloudInitData;
  moveQueue: MoveQueue;
  moveBandwidth: MoveBandwidth;
  /** Aborted when the server stops: the task is then left for the next one to take up. */
  stopped: AbortSignal;
  /** Enters a task and runs it. @throws VM_BUSY, HOST_TASK_UNDER_WAY, DESTINATION_IN_MAINTENANCE */
  start: <K extends TaskKind>(task: NewTask<K>) => Promise<TaskOf<K>>;
}

export class TaskContext<K extends TaskKind> {
  readonly id: TaskId;
  readonly kind: K;
  readonly request: TaskRequest<K>;
  readonly createdAt: Date;
  /** Whether its first step had begun when this server took it up. */
  readonly wasUnderWay: boolean;
  readonly store: Store;
  readonly hosts: HostLinks;
  readonly power: PowerControls;
  readonly cloudInit: CloudInitData;
  readonly moveQueue: MoveQueue;
  readonly moveBandwidth: MoveBandwidth;
  readonly log: Logger;
  readonly stopped: AbortSignal;
  readonly #actor: string;
  readonly #services: TaskServices;
  /** The server that ran the task before may have asked an agent what is asked now. */
  #mayHaveAsked: boolean;

  constructor(task: TaskOf<K>, services: TaskServices, log: Logger, isTakenUp = false) {
    this.id = task.id;
    this.kind = task.kind;
    this.request = task.request as TaskRequest<K>;
    this.createdAt = new Date(task.createdAt);
    this.wasUnderWay = task.state !== "queued";
    this.store = services.store;
    this.hosts = services.hosts;
    this.power = services.power;
    this.cloudInit = services.cloudInit;
    this.moveQueue = services.moveQueue;
    this.moveBandwidth = services.moveBandwidth;
    this.stopped = services.stopped;
    this.log = log;
    this.#actor = task.actor;
    this.#services = services;
    this.#mayHaveAsked = isTakenUp;
  }

  /** Whether what is asked next may have been asked by an earlier server: then only an answer tells. */
  get mayHaveAsked(): boolean {
    return this.#mayHaveAsked;
  }

  async change(change: (task: TaskOf<K>) => TaskChange<K>): Promise<TaskOf<K>> {
    const task = await this.persist(() => this.store.tasks.change(this.id, change));
    this.#services.changes.announce(task);
    return task;
  }

  /** Enters a task that is a part of this one, and runs it. @throws VM_BUSY, DESTINATION_IN_MAINTENANCE */
  async start<C extends TaskKind>(part: Pick<NewTask<C>, "kind" | "request">): Promise<TaskOf<C>> {
    const task = { ...part, id: randomUUID() as TaskId, actor: this.#actor, parent: this.id };
    return await this.persist(() => this.#services.start(task));
  }

  /** Asks for the end of a part of this one that can be cancelled; one that has ended, or was asked already, stays as it is. */
  async cancelPart(id: TaskId): Promise<void> {
    const task = await this.persist(() =>
      this.store.tasks.change(id, ({ cancellable }) =>
        cancellable ? { state: "cancelling", cancellable: false } : {},
      ),
    );
    this.#services.changes.announce(task);
  }

  /** Watches the tasks of this server that `matters` picks, until disposed. */
  watchTasks(matters: (task: Task) => boolean): TaskWatch {
    return this.#services.changes.watch(matters, this.stopped);
  }

  /** Repeats what is asked of the database for as long as it does not answer. */
  async persist<T>(action: () => Promise<T>): Promise<T> {
    for (;;) {
      this.stopped.throwIfAborted();
      try {
        return await action();
      } catch (error) {
        if (!GodwitError.is(error, "DATABASE_UNAVAILABLE")) throw error;
        this.log.warn({ err: error }, "the task waits for the database");
      }
      await sleep(retryMs, this.stopped);
    }
  }

  /**
   * One step of the task. Its result is kept: when the task is taken up again a step that is done is skipped and its
   * result answered. One that the server was stopped in runs again, so it must be repeatable.
   * @param schema of the result, which is kept as JSON; one that does not fit it any more counts as not there
   */
  async step<S extends z.ZodType>(
    key: TaskStepKey<K>,
    schema: S,
    run: () => Promise<z.output<S>>,
  ): Promise<z.output<S>> {
    const done = await this.persist(() => this.store.tasks.stepResult(this.id, key));
    const kept = schema.safeParse(done?.value);
    if (done !== null && kept.success) return kept.data;
    const name = taskDefinitionOf(this.kind).steps[key]?.(this.request) ?? null;
    await this.change(({ state, steps }) => ({
      ...(state === "queued" ? { state: "running" } : {}),
      ...(name === null ? {} : { steps: started(steps, key, name) }),
    }));
    try {
      const result = await run();
      const task = await this.persist(() =>
        this.store.tasks.finishStep<K>(this.id, { key, result }, ({ steps }) => closed(steps, key, "done")),
      );
      this.#services.changes.announce(task);
      this.#mayHaveAsked = false;
      return result;
    } catch (error) {
      if (!this.stopped.aborted) await this.change(({ steps }) => closed(steps, key, "failed"));
      throw error;
    }
  }

  /**
   * Asks an agent something that may be asked again. A host that was never reached is an error; once an
   * answer was lost, only asking again tells what was done, for however long that takes.
   * @param patience what a host is given up with that was silent for so long; default: it is waited for
   * @throws HOST_UNREACHABLE when it was surely not done; what the agent refuses with
   */
  async ask<T>(
    host: string,
    question: (link: HostLink) => Promise<T>,
    patience?: { silentMs: number; givenUp: () => GodwitError },
  ): Promise<T> {
    const link = this.hosts.of(host);
    let silentSinceMs: number | null = null;
    for (let unsure = this.mayHaveAsked; ; unsure = true) {
      this.stopped.throwIfAborted();
      try {
        const answer = await question(link);
        if (unsure) await this.setWaiting(null);
        return answer;
      } catch (error) {
        const lost = GodwitError.is(error, "OUTCOME_UNKNOWN");
        if (!lost && !(unsure && GodwitError.is(error, "CONNECTION_FAILED"))) throw link.unreachable(error);
        silentSinceMs = link.isUp ? null : (silentSinceMs ?? performance.now());
        if (
          patience !== undefined &&
          silentSinceMs !== null &&
          performance.now() - silentSinceMs > patience.silentMs
        )
          throw patience.givenUp();
        await this.waitFor(link);
      }
    }
  }

  /**
   * Says what is waited for, and waits until the host answers or some time has passed.
   * @throws TASK_HOST_REMOVED when it never will
   */
  async waitFor(link: HostLink): Promise<void> {
    if (!this.hosts.has(link)) throw GodwitError.of("TASK_HOST_REMOVED", { host: link.name });
    await this.setWaiting(waitForHost(link.name));
    await Promise.race([link.comesUp(hostRetryMs), aborted(this.stopped)]);
  }

  async setWaiting(waitingFor: TaskWait | null): Promise<void> {
    await this.change((task) =>
      JSON.stringify(task.waitingFor) === JSON.stringify(waitingFor) ? {} : { waitingFor },
    );
  }
}

function started(steps: readonly TaskStep[], key: string, name: string): TaskStep[] {
  const startedAt = new Date().toISOString();
  return [
    ...steps.filter((step) => step.key !== key),
    { key, name, state: "running", startedAt, endedAt: null, detail: null },
  ];
}

function closed(steps: readonly TaskStep[], key: string, state: TaskStep["state"]): { steps?: TaskStep[] } {
  const endedAt = new Date().toISOString();
  if (!steps.some((step) => step.key === key)) return {};
  return { steps: steps.map((step) => (step.key === key ? { ...step, state, endedAt } : step)) };
}
