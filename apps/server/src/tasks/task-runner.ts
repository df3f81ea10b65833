/**
 * Runs tasks, each to its end: also over a restart of the server, which takes up every task that has not ended. What
 * each kind does is in `registry.ts`.
 */
import { randomUUID } from "node:crypto";
import {
  GodwitError,
  isEnded,
  type MoveLimits,
  type Task,
  type TaskId,
  type TaskKind,
  type TaskOf,
  type TaskRequest,
  problemOfUnexpected,
} from "@godwit/contract";
import type { NewTask, Store } from "@godwit/store";
import type { Logger } from "pino";
import type { HostLinks } from "../hosts/host-links.ts";
import { MoveBandwidth } from "../moves/move-bandwidth.ts";
import { MoveQueue } from "../moves/move-queue.ts";
import type { PowerControls } from "../power/power-controls.ts";
import { CloudInitData } from "./cloud-init-data.ts";
import { changeable, setMoveLimits } from "./move-limits.ts";
import { implementationOf } from "./registry.ts";
import { TaskChanges } from "./task-changes.ts";
import { TaskContext, type TaskServices } from "./task-context.ts";
import type { TaskEnd } from "./task-implementation.ts";

const lookAgainMs = 10_000;

export class TaskRunner {
  readonly cloudInit = new CloudInitData();
  readonly #services: TaskServices;
  readonly #log: Logger;
  readonly #stop = new AbortController();
  readonly #running = new Set<Promise<void>>();

  constructor(store: Store, hosts: HostLinks, power: PowerControls, log: Logger) {
    this.#log = log;
    this.#services = {
      ...{
        store,
        hosts,
        power,
        changes: new TaskChanges(),
        cloudInit: this.cloudInit,
        moveQueue: new MoveQueue(),
      },
      ...{ moveBandwidth: new MoveBandwidth(), stopped: this.#stop.signal },
      start: (task) => this.#start(task),
    };
  }

  /** Takes up what an earlier server left. */
  async resume(): Promise<void> {
    for (const [host, bytesPerSecond] of await this.#services.store.hosts.moveBandwidths())
      this.setMoveBandwidth(host, bytesPerSecond);
    for (const task of await this.#services.store.tasks.unfinished()) {
      this.#log.info({ task: task.id, kind: task.kind }, "task taken up again");
      this.#run(task, true);
    }
  }

  /** Enters a task and starts it. @throws VM_BUSY, HOST_TASK_UNDER_WAY, DESTINATION_IN_MAINTENANCE */
  async start<K extends TaskKind>(
    task: { kind: K; request: TaskRequest<K> },
    actor = "admin",
  ): Promise<TaskOf<K>> {
    return await this.#start({ ...task, id: randomUUID() as TaskId, actor });
  }

  /** Resolves when a task has ended. @throws TASK_UNKNOWN; the reason when the server stops */
  async ended(id: TaskId): Promise<Task> {
    const { changes, store, stopped } = this.#services;
    using watch = changes.watch((task) => task.id === id, stopped);
    for (;;) {
      const task = await store.tasks.show(id);
      if (isEnded(task)) return task;
      // A change may have been announced by a write whose answer was lost.
      await watch.next(lookAgainMs);
    }
  }

  /** @throws TASK_UNKNOWN, TASK_NOT_CANCELLABLE */
  async cancel(id: TaskId): Promise<Task> {
    const task = await this.#services.store.tasks.show(id);
    const { cancel } = implementationOf(task.kind);
    if (task.endedAt !== null || cancel === undefined) {
      const reason = task.endedAt === null ? "this kind of task runs to its end" : "it has ended";
      throw GodwitError.of("TASK_NOT_CANCELLABLE", { task: id, state: task.state, reason });
    }
    return await cancel(this.#context(task) as never);
  }

  /** Other limits of a move. @throws TASK_UNKNOWN, TASK_NOT_CHANGEABLE, HOST_UNREACHABLE: then they stay as they were */
  async setLimits(id: TaskId, limits: MoveLimits): Promise<TaskOf<"vm.migrate">> {
    const task = await this.#services.store.tasks.show(id);
    return await setMoveLimits(this.#context(changeable(task)), limits);
  }

  /** What all moves of a host may use together, those under way too. @param bytesPerSecond null: what the link gives */
  setMoveBandwidth(host: string, bytesPerSecond: number | null): void {
    this.#services.moveBandwidth.setHost(host, bytesPerSecond);
  }

  /** Stops watching; what agents were asked to do goes on. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#services.moveBandwidth.stop();
    await Promise.allSettled(this.#running);
  }

  async #start<K extends TaskKind>(task: NewTask<K>): Promise<TaskOf<K>> {
    const entered = await this.#services.store.tasks.create(task);
    this.#run(entered);
    return entered;
  }

  #context<K extends TaskKind>(task: TaskOf<K>, isTakenUp = false): TaskContext<K> {
    return new TaskContext(task, this.#services, this.#log.child({ task: task.id }), isTakenUp);
  }

  #run<K extends TaskKind>(task: TaskOf<K>, isTakenUp = false): void {
    const running = this.#toItsEnd(this.#context<K>(task, isTakenUp)).finally(() => {
      this.#running.delete(running);
    });
    this.#running.add(running);
  }

  async #toItsEnd<K extends TaskKind>(context: TaskContext<K>): Promise<void> {
    try {
      const { run } = implementationOf<K>(context.kind);
      const end = await run(context).catch((error: unknown): TaskEnd<K> => {
        if (this.#stop.signal.aborted) throw error;
        if (GodwitError.is(error)) return { state: "failed", problem: error.problem };
        const reference = randomUUID();
        context.log.error({ err: error, reference }, "task failed unexpectedly");
        return { state: "failed", problem: problemOfUnexpected(error, reference) };
      });
      const outcome = end.state === "succeeded" ? { result: end.result } : { error: end.problem };
      await context.change(() => ({ state: end.state, ...outcome, cancellable: false, waitingFor: null }));
    } catch (error) {
      if (!this.#stop.signal.aborted) context.log.error({ err: error }, "task abandoned");
    }
  }
}
