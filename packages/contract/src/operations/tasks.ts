/** Tasks, a part of the server's API: what was asked for, how far it is, and its cancelling. */
import { z } from "zod";
import { taskIdSchema } from "../schemas/names.ts";
import { maxOutageSchema } from "../schemas/move.ts";
import { nextPageSchema } from "../schemas/page.ts";
import { taskStateSchema } from "../schemas/task.ts";
import { taskSchema, taskSchemas } from "../tasks/registry.ts";
import type { Operations } from "./operation.ts";

const taskParams = z.strictObject({ task: taskIdSchema });

export const taskOperations = {
  taskList: {
    method: "GET",
    path: "/api/v1/tasks",
    privilege: "admin",
    summary: "Tasks, newest first, a page of them; ask on with the answer's next as cursor until it is null",
    query: z.strictObject({
      state: taskStateSchema.optional(),
      limit: z.coerce.number().int().min(1).max(500).default(50),
      cursor: z
        .string()
        .regex(/^\d{1,18}$/, "must be the next of a page before")
        .optional(),
    }),
    answer: { status: 200, body: z.object({ tasks: z.array(taskSchema), next: nextPageSchema }) },
    errors: [],
  },
  taskShow: {
    method: "GET",
    path: "/api/v1/tasks/{task}",
    privilege: "admin",
    summary: "One task",
    params: taskParams,
    answer: { status: 200, body: taskSchema },
    errors: ["TASK_UNKNOWN"],
  },
  taskSet: {
    method: "PATCH",
    path: "/api/v1/tasks/{task}",
    privilege: "admin",
    summary: "Give a move of a running VM other limits while it waits or goes on; what is absent stays",
    params: taskParams,
    body: z
      .strictObject({
        /** Null: what the link gives. */
        bandwidthMbps: z.number().positive().max(1_000_000).nullable().optional(),
        maxOutageMs: maxOutageSchema.optional(),
      })
      .refine(
        ({ bandwidthMbps, maxOutageMs }) => bandwidthMbps !== undefined || maxOutageMs !== undefined,
        "nothing is to be changed",
      ),
    answer: { status: 200, body: taskSchemas["vm.migrate"] },
    errors: ["TASK_UNKNOWN", "TASK_NOT_CHANGEABLE", "HOST_UNREACHABLE"],
  },
  taskCancel: {
    method: "POST",
    path: "/api/v1/tasks/{task}/cancel",
    privilege: "admin",
    summary: "Cancel a task where that is still possible",
    params: taskParams,
    answer: { status: 202, body: taskSchema },
    errors: ["TASK_UNKNOWN", "TASK_NOT_CANCELLABLE"],
  },
} as const satisfies Operations;
