/**
 * What the end of a task is beside its own event. It is written in the transaction that ends the task, so a server that is killed in
 * between has told both or neither.
 */
import type { NewEvent, ServerEvent, Task } from "@godwit/contract";

/** Null: the end of the task is all there is to tell. */
export function eventOfEnd(task: Task): NewEvent<ServerEvent> | null {
  if (task.kind !== "vm.start" || task.request.restart === undefined) return null;
  const { vm, host: to, restart } = task.request;
  const subject = { kind: "pool", id: restart.pool } as const;
  if (task.state === "succeeded")
    return {
      ...{ type: "pool.vmRestarted", subject },
      data: { vm: vm.name, from: restart.from, to, task: task.id },
    };
  const reason = task.error?.detail ?? `its task was ${task.state}`;
  return { type: "pool.restartFailed", subject, data: { vm: vm.name, to, task: task.id, reason } };
}
