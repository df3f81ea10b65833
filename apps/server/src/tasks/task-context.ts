/** What a task's deed works with: its own row, the hosts, and patience with a database or host that is away. */
import { GodwitError, type Problem, type Task, type TaskId, type TaskStep } from "@godwit/contract";
import type { NewTask, Store, TaskChange } from "@godwit/store";
import type { Logger } from "pino";
import type { HostLink } from "../hosts/host-link.ts";
import type { HostLinks } from "../hosts/host-links.ts";
import type { TaskChanges, TaskWatch } from "./task-changes.ts";
import { aborted, sleep } from "@godwit/system";

const retryMs = 500;

/** How a task ends. */
export type TaskEnd =
  { state: "succeeded" } | { state: "failed"; problem: Problem } | { state: "cancelled"; problem: Problem };

export class TaskContext {
  readonly id: TaskId;
  readonly request: Record<string, unknown>;
  readonly store: Store;
  readonly hosts: HostLinks;
  readonly log: Logger;
  /** Enters another task and begins it. @throws VM_BUSY, DESTINATION_IN_MAINTENANCE */
  readonly begin: (task: NewTask) => Promise<Task>;
  readonly #changes: TaskChanges;
  /** Aborted when the server stops: the task is then left for the next one to take up. */
  readonly stopped: AbortSignal;

  constructor(o: {
    id: TaskId;
    request: Record<string, unknown>;
    store: Store;
    hosts: HostLinks;
    log: Logger;
    begin: (task: NewTask) => Promise<Task>;
    changes: TaskChanges;
    stopped: AbortSignal;
  }) {
    this.id = o.id;
    this.request = o.request;
    this.store = o.store;
    this.hosts = o.hosts;
    this.log = o.log;
    this.begin = o.begin;
    this.#changes = o.changes;
    this.stopped = o.stopped;
  }

  async change(change: (task: Task) => TaskChange): Promise<Task> {
    const task = await this.persist(() => this.store.tasks.change(this.id, change));
    this.#changes.tell(task);
    return task;
  }

  /** Watches the tasks of this server that `matters` picks, until disposed. */
  watchTasks(matters: (task: Task) => boolean): TaskWatch {
    return this.#changes.watch(matters, this.stopped);
  }

  /** Repeats a deed on the database for as long as it does not answer. */
  async persist<T>(deed: () => Promise<T>): Promise<T> {
    for (;;) {
      this.stopped.throwIfAborted();
      try {
        return await deed();
      } catch (error) {
        if (!GodwitError.is(error, "DATABASE_UNAVAILABLE")) throw error;
        this.log.warn({ err: error }, "the task waits for the database");
      }
      await sleep(retryMs, this.stopped);
    }
  }

  /** One step of the task: entered when it begins, closed when it ends. */
  async step<T>(name: string, deed: () => Promise<T>): Promise<T> {
    await this.change((task) => ({ state: "running", steps: begun(task.steps, name) }));
    try {
      const result = await deed();
      await this.change((task) => ({ steps: closed(task.steps, "done") }));
      return result;
    } catch (error) {
      if (!this.stopped.aborted) await this.change((task) => ({ steps: closed(task.steps, "failed") }));
      throw error;
    }
  }

  /**
   * Asks an agent something that may be asked again. A host that was never reached is an error; once an
   * answer was lost, only asking again tells what was done, for however long that takes.
   * @throws HOST_UNREACHABLE when it was surely not done; what the agent refuses with
   */
  async ask<T>(host: string, question: (link: HostLink) => Promise<T>): Promise<T> {
    const link = this.hosts.of(host);
    for (let unsure = false; ; unsure = true) {
      this.stopped.throwIfAborted();
      try {
        const answer = await question(link);
        if (unsure) await this.change(() => ({ waitingFor: null }));
        return answer;
      } catch (error) {
        const lost = GodwitError.is(error, "OUTCOME_UNKNOWN");
        if (!lost && !(unsure && GodwitError.is(error, "CONNECTION_FAILED"))) throw link.unreachable(error);
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
    const waitingFor = `host ${link.name} does not answer; what happens there is not known until it does`;
    await this.change((task) => (task.waitingFor === waitingFor ? {} : { waitingFor }));
    await Promise.race([link.comesUp(2000), aborted(this.stopped)]);
  }
}

function begun(steps: readonly TaskStep[], name: string): TaskStep[] {
  const startedAt = new Date().toISOString();
  return [
    ...steps.filter((step) => step.name !== name),
    { name, state: "running", startedAt, endedAt: null, detail: null },
  ];
}

function closed(steps: readonly TaskStep[], state: TaskStep["state"]): TaskStep[] {
  const endedAt = new Date().toISOString();
  return steps.map((step) => (step.state === "running" ? { ...step, state, endedAt } : step));
}
