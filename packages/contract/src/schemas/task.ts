/** One shape for every long action: steps, progress, cancel, result. */
import { z } from "zod";
import { problemSchema } from "../errors/schemas.ts";
import { moveProgressSchema, moveRecordSchema } from "./move.ts";
import { taskIdSchema } from "./names.ts";

export const taskStateSchema = z.enum([
  "queued",
  "running",
  "cancelling",
  "succeeded",
  "failed",
  "cancelled",
]);
export type TaskState = z.infer<typeof taskStateSchema>;

export const taskKindSchema = z.enum([
  "vm.create",
  "vm.configure",
  "vm.start",
  "vm.stop",
  "vm.delete",
  "vm.migrate",
  "vm.relocate",
  "host.enterMaintenance",
]);
export type TaskKind = z.infer<typeof taskKindSchema>;

export const taskStepSchema = z.object({
  name: z.string(),
  state: z.enum(["running", "done", "failed", "undone"]),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
  detail: z.string().nullable(),
  /** The task that does it, where one does. */
  task: taskIdSchema.optional(),
});
export type TaskStep = z.infer<typeof taskStepSchema>;

export const taskSchema = z.object({
  id: taskIdSchema,
  kind: taskKindSchema,
  subject: z.object({ kind: z.enum(["vm", "host"]), id: z.string(), name: z.string() }),
  state: taskStateSchema,
  /** Grows with every change. */
  revision: z.number().int(),
  steps: z.array(taskStepSchema),
  /** The move's phase, where the task is a move. */
  phase: z.string().nullable(),
  progress: moveProgressSchema.nullable(),
  /** The move's full record, where the task is a move. */
  move: moveRecordSchema.nullable(),
  error: problemSchema.nullable(),
  /** What the server waits for just now, in words, when it cannot go on by itself (a host that does not answer). */
  waitingFor: z.string().nullable(),
  cancellable: z.boolean(),
  /** The task that this one is a part of. */
  parent: taskIdSchema.nullable(),
  actor: z.string(),
  createdAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
});
export type Task = z.infer<typeof taskSchema>;

export const isEnded = (task: Pick<Task, "state">): boolean =>
  task.state === "succeeded" || task.state === "failed" || task.state === "cancelled";
