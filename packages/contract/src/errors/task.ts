/** Errors about tasks. */
import { define } from "./define.ts";

export const taskErrors = {
  TASK_UNKNOWN: define<{ task: string }>(
    404,
    "never",
    (d) => `There is no task ${d.task}.`,
    () => "godwit task list shows the tasks.",
  ),
  TASK_HOST_REMOVED: define<{ host: string }>(
    410,
    "never",
    (d) => `Host ${d.host}, whose answer the task needs, was removed from the cluster.`,
    () => "What became of the VM there is not known: godwit vm lease show says which host may run it.",
  ),
  TASK_BEFORE_RESTORE: define<{ madeAt: string }>(
    410,
    "never",
    (d) =>
      `The task was under way when the backup of ${d.madeAt} was made, which this server was restored from: how it ended is not known here.`,
    () =>
      "godwit vm list shows where VMs are, as their hosts tell it. Start the task again if it is still needed.",
  ),
  TASK_NOT_CANCELLABLE: define<{ task: string; state: string; reason: string }>(
    409,
    "never",
    (d) => `Task ${d.task} (${d.state}) can no longer be cancelled: ${d.reason}.`,
    (d) => `godwit task show ${d.task} shows how it ended or goes on.`,
  ),
  TASK_NOT_CHANGEABLE: define<{ task: string; state: string; reason: string }>(
    409,
    "never",
    (d) => `The limits of task ${d.task} (${d.state}) cannot be changed: ${d.reason}.`,
    (d) => `godwit task show ${d.task} shows how it ended or goes on.`,
  ),
} as const;
