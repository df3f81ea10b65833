/** The parts of a task that every kind has: its state, its steps, and what it waits for. The kinds are in `tasks/`. */
import { z } from "zod";
import { nameSchema, taskIdSchema, type TaskId } from "./names.ts";

export const taskStateSchema = z.enum([
  "queued",
  "running",
  "cancelling",
  "succeeded",
  "failed",
  "cancelled",
]);
export type TaskState = z.infer<typeof taskStateSchema>;

export const taskSubjectSchema = z.object({
  kind: z.enum(["vm", "host", "pool", "image"]),
  id: z.string(),
  name: z.string(),
});
export type TaskSubject = z.infer<typeof taskSubjectSchema>;

export const taskStepSchema = z.object({
  /** Which step of its kind of task it is; with the subject it is the only one. */
  key: z.string(),
  /** The same in words. */
  name: z.string(),
  /** What it acts on, where that is not the task's own subject. */
  subject: taskSubjectSchema.optional(),
  state: z.enum(["running", "done", "failed", "undone"]),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
  detail: z.string().nullable(),
  /** The task that does it, where one does. */
  task: taskIdSchema.optional(),
});
export type TaskStep = z.infer<typeof taskStepSchema>;

/** What a task waits for when it cannot go on by itself: a code with its data, and the same in words. */
export const taskWaitSchema = z.discriminatedUnion("code", [
  z.object({ code: z.literal("HOST_NOT_RESPONDING"), host: nameSchema, message: z.string() }),
  z.object({ code: z.literal("OTHER_TASK"), task: taskIdSchema, message: z.string() }),
]);
export type TaskWait = z.infer<typeof taskWaitSchema>;

export const waitForHost = (host: string): TaskWait => ({
  ...{ code: "HOST_NOT_RESPONDING", host },
  message: `host ${host} does not respond; what was done there is not known until it does`,
});

export const waitForTask = ({ id, description }: { id: TaskId; description: string }): TaskWait => ({
  ...{ code: "OTHER_TASK", task: id },
  message: `task ${id} must end first: ${description}`,
});

/**
 * For its turn among the moves of a host.
 * @param ahead how many moves begin before it
 */
export const waitForTurn = (turn: {
  host: string;
  limit: number;
  ahead: number;
  behind: TaskId;
}): TaskWait => ({
  ...{ code: "OTHER_TASK", task: turn.behind },
  message:
    `host ${turn.host} takes part in ${turn.limit === 1 ? "one move" : `${String(turn.limit)} moves`} at once, as its migration network's link bears` +
    (turn.ahead === 0 ? "; this one is the next" : `; before this one begin ${String(turn.ahead)} that wait`),
});

export const isEnded = (task: { state: TaskState }): boolean =>
  task.state === "succeeded" || task.state === "failed" || task.state === "cancelled";
