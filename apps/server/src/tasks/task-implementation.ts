/** What a kind of task does, beside its definition in the contract: how it runs, and how it is cancelled. */
import type { CancellableKind, Problem, TaskKind, TaskOf, TaskResult } from "@godwit/contract";
import type { TaskContext } from "./task-context.ts";

/** How a task ends. */
export type TaskEnd<K extends TaskKind> =
  | { state: "succeeded"; result: TaskResult<K> }
  | { state: "failed"; problem: Problem }
  | { state: "cancelled"; problem: Problem };

/**
 * `run` may be called again from the start at any time, since a server that starts takes up what has not ended: steps
 * that are done answer what they answered, and all else that it asks of an agent or writes may be done again. An error
 * of the catalogue that it throws is how the task fails.
 */
export type TaskImplementation<K extends TaskKind> = {
  run: (context: TaskContext<K>) => Promise<TaskEnd<K>>;
} & (K extends CancellableKind
  ? {
      /** Asks for the end; `run` brings it about. @throws TASK_NOT_CANCELLABLE */
      cancel: (context: TaskContext<K>) => Promise<TaskOf<K>>;
    }
  : { cancel?: never });
