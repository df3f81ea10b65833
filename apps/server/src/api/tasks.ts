/** Tasks: listing, showing, cancelling. */
import type { serverOperations } from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import type { Services } from "../services.ts";

type TaskOperations = Pick<typeof serverOperations, "taskList" | "taskShow" | "taskSet" | "taskCancel">;

export function taskHandlers({ store, tasks }: Services): Handlers<TaskOperations> {
  return {
    taskList: async ({ query }) => {
      const { rows: tasks, next } = await store.tasks.page(query);
      return { tasks, next };
    },
    taskShow: async ({ params }) => await store.tasks.show(params.task),
    taskSet: async ({ params, body: { bandwidthMbps, maxOutageMs } }) =>
      await tasks.setLimits(params.task, {
        ...(bandwidthMbps === undefined
          ? {}
          : { bandwidthBytesPerSecond: bandwidthMbps === null ? null : (bandwidthMbps * 1e6) / 8 }),
        ...(maxOutageMs === undefined ? {} : { maxOutageMs }),
      }),
    taskCancel: async ({ params }) => await tasks.cancel(params.task),
  };
}
