/**
 * Runs tasks, each to its end: also over a restart of the server, which takes up every task that has
 * not ended. A kind of task is one file beside this; its deed may be begun again from the start at any
 * time, since everything that it asks of an agent may be asked again.
 */
import { randomUUID } from "node:crypto";
import { GodwitError, type Task, type TaskId, type TaskKind } from "@godwit/contract";
import type { NewTask, Store } from "@godwit/store";
import type { Logger } from "pino";
import type { HostLinks } from "../hosts/host-links.ts";
import { configureVm } from "./configure-vm.ts";
import { createVm } from "./create-vm.ts";
import { deleteVm } from "./delete-vm.ts";
import { cancelMaintenance, enterMaintenance } from "./enter-maintenance.ts";
import { cancelMove, migrateVm } from "./migrate-vm.ts";
import { relocateVm } from "./relocate-vm.ts";
import { startVm } from "./start-vm.ts";
import { stopVm } from "./stop-vm.ts";
import { TaskChanges } from "./task-changes.ts";
import { TaskContext, type TaskEnd } from "./task-context.ts";

const deeds: Record<TaskKind, (context: TaskContext) => Promise<TaskEnd>> = {
  "vm.create": createVm,
  "vm.configure": configureVm,
  "vm.start": startVm,
  "vm.stop": stopVm,
  "vm.delete": deleteVm,
  "vm.migrate": migrateVm,
  "vm.relocate": relocateVm,
  "host.enterMaintenance": enterMaintenance,
};

/** Kinds that can be cancelled, and how. */
const cancels: Partial<Record<TaskKind, (context: TaskContext) => Promise<Task>>> = {
  "vm.migrate": cancelMove,
  "host.enterMaintenance": cancelMaintenance,
};

export class TaskRunner {
  readonly #store: Store;
  readonly #hosts: HostLinks;
  readonly #log: Logger;
  readonly #changes = new TaskChanges();
  readonly #stop = new AbortController();
  readonly #running = new Set<Promise<void>>();

  constructor(store: Store, hosts: HostLinks, log: Logger) {
    this.#store = store;
    this.#hosts = hosts;
    this.#log = log;
  }

  /** Takes up what an earlier server left. */
  async resume(): Promise<void> {
    for (const { task, request } of await this.#store.tasks.unfinished()) {
      this.#log.info({ task: task.id, kind: task.kind }, "task taken up again");
      this.#run(task, request);
    }
  }

  /** Enters a task and begins it. @throws VM_BUSY, HOST_TASK_UNDER_WAY, DESTINATION_IN_MAINTENANCE */
  async begin(task: Omit<NewTask, "id"> & { id?: TaskId }): Promise<Task> {
    const entered = await this.#store.tasks.create({ id: randomUUID() as TaskId, ...task });
    this.#run(entered, task.request);
    return entered;
  }

  /** @throws TASK_UNKNOWN, TASK_NOT_CANCELLABLE */
  async cancel(id: TaskId): Promise<Task> {
    const task = await this.#store.tasks.show(id);
    const cancel = cancels[task.kind];
    if (task.endedAt !== null || cancel === undefined) {
      const reason = task.endedAt === null ? "this kind of task runs to its end" : "it has ended";
      throw GodwitError.of("TASK_NOT_CANCELLABLE", { task: id, state: task.state, reason });
    }
    return await cancel(this.#context(task, await this.#requestOf(id)));
  }

  /** Stops watching; what agents were asked to do goes on. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled(this.#running);
  }

  #context(task: Task, request: Record<string, unknown>): TaskContext {
    return new TaskContext({
      id: task.id,
      request,
      store: this.#store,
      hosts: this.#hosts,
      log: this.#log.child({ task: task.id }),
      begin: (child) => this.begin(child),
      changes: this.#changes,
      stopped: this.#stop.signal,
    });
  }

  async #requestOf(id: TaskId): Promise<Record<string, unknown>> {
    const found = (await this.#store.tasks.unfinished()).find(({ task }) => task.id === id);
    return found?.request ?? {};
  }

  #run(task: Task, request: Record<string, unknown>): void {
    const running = this.#toItsEnd(this.#context(task, request), task.kind).finally(() => {
      this.#running.delete(running);
    });
    this.#running.add(running);
  }

  async #toItsEnd(context: TaskContext, kind: TaskKind): Promise<void> {
    try {
      const end = await deeds[kind](context).catch((error: unknown): TaskEnd => {
        if (this.#stop.signal.aborted) throw error;
        if (GodwitError.is(error)) return { state: "failed", problem: error.problem };
        const reference = randomUUID();
        context.log.error({ err: error, reference }, "task failed by a bug");
        return { state: "failed", problem: GodwitError.of("INTERNAL", { reference }).problem };
      });
      await context.change(() => ({
        state: end.state,
        error: end.state === "succeeded" ? null : end.problem,
        cancellable: false,
        waitingFor: null,
      }));
    } catch (error) {
      if (!this.#stop.signal.aborted) context.log.error({ err: error }, "task abandoned");
    }
  }
}
