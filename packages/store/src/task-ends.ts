/**
 * What the end of a task is beside its own event. It is written in the transaction that ends the task, so a server that is killed in
 * between has told both or neither.
 */
import type { NewEvent, ServerEvent, Task, TaskOf } from "@godwit/contract";

/** Null: the end of the task is all there is to tell. */
export function eventOfEnd(task: Task): NewEvent<ServerEvent> | null {
  switch (task.kind) {
    case "vm.start":
      return task.request.restart === undefined ? null : ofRestart(task, task.request.restart);
    case "vm.reset":
      return task.request.hang === undefined ? null : ofGuestReset(task, task.request.hang);
    default:
      return null;
  }
}

const reasonOf = ({ error, state }: Task): string => error?.detail ?? `its task was ${state}`;

function ofRestart(
  task: TaskOf<"vm.start">,
  restart: NonNullable<TaskOf<"vm.start">["request"]["restart"]>,
): NewEvent<ServerEvent> {
  const { vm, host: to } = task.request;
  const subject = { kind: "pool", id: restart.pool } as const;
  if (task.state === "succeeded")
    return {
      ...{ type: "pool.vmRestarted", subject },
      data: { vm: vm.name, from: restart.from, to, task: task.id },
    };
  return {
    type: "pool.restartFailed",
    subject,
    data: { vm: vm.name, to, task: task.id, reason: reasonOf(task) },
  };
}

function ofGuestReset(
  task: TaskOf<"vm.reset">,
  hang: NonNullable<TaskOf<"vm.reset">["request"]["hang"]>,
): NewEvent<ServerEvent> {
  const { vm, host } = task.request;
  const subject = { kind: "pool", id: hang.pool } as const;
  const told = { vm: vm.name, host, task: task.id };
  return task.state === "succeeded"
    ? { type: "pool.guestReset", subject, data: { ...told, silentSeconds: hang.silentSeconds } }
    : { type: "pool.guestResetFailed", subject, data: { ...told, reason: reasonOf(task) } };
}
