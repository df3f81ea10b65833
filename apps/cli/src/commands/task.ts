/** `godwit task …` */
import type { TaskId, TaskState } from "@godwit/contract";
import { GodwitError } from "@godwit/contract/errors";
import { buildCommand, buildRouteMap, numberParser } from "@stricli/core";
import { withApi } from "../connection.ts";
import { formatTable } from "../output/format.ts";
import { writeJson, writeLine } from "../output/screen.ts";
import { outcomeText, taskText } from "../output/task-view.ts";
import { runTask } from "../run-task.ts";
import { jsonFlag, nameArgument, wordsOf } from "./common.ts";
import { summaries } from "../summaries.ts";

const taskArgument = nameArgument("task", "Id");

/** @throws USAGE */
async function taskId(text: string): Promise<TaskId> {
  const { isId } = await import("@godwit/contract");
  if (isId(text)) return text as TaskId;
  throw GodwitError.of("USAGE", {
    what: `"${text}" is not a task's id.`,
    hint: "godwit task list shows the tasks.",
  });
}

const list = buildCommand({
  docs: { brief: "List tasks, newest first", fullDescription: "Example: godwit task list --state running" },
  parameters: {
    flags: {
      json: jsonFlag,
      state: {
        kind: "enum",
        values: wordsOf<TaskState>({
          queued: true,
          running: true,
          cancelling: true,
          succeeded: true,
          failed: true,
          cancelled: true,
        }),
        brief: "Only tasks in this state",
        optional: true,
      },
      limit: { kind: "parsed", parse: numberParser, brief: "How many", default: "20" },
    },
  },
  async func(flags: { json: boolean; state?: TaskState; limit: number }) {
    const query = { limit: flags.limit, ...(flags.state === undefined ? {} : { state: flags.state }) };
    const { tasks } = await withApi((api) => api.call("taskList", { query }));
    if (flags.json) {
      writeJson(tasks);
      return;
    }
    writeLine(
      formatTable([
        ["ID", "KIND", "SUBJECT", "STATE", "STARTED", "RESULT"],
        ...tasks.map((task) => [
          task.id,
          task.kind,
          task.subject.name,
          task.state,
          task.createdAt.slice(0, 19),
          outcomeText(task),
        ]),
      ]),
    );
  },
});

const show = buildCommand({
  docs: {
    brief: "Show one task with its steps and decisions",
    fullDescription: "Example: godwit task show ID",
  },
  parameters: { flags: { json: jsonFlag }, positional: taskArgument },
  async func(flags: { json: boolean }, id: string) {
    const task = await withApi(async (api) => api.call("taskShow", { params: { task: await taskId(id) } }));
    if (flags.json) writeJson(task);
    else writeLine(taskText(task));
  },
});

const watch = buildCommand({
  docs: { brief: "Follow a task to its end", fullDescription: "Example: godwit task watch ID" },
  parameters: { flags: { json: jsonFlag }, positional: taskArgument },
  async func(flags: { json: boolean }, id: string) {
    await withApi(async (api) => {
      const task = api.call("taskShow", { params: { task: await taskId(id) } });
      await runTask(api, task, flags, "The task has succeeded.");
    });
  },
});

const cancel = buildCommand({
  docs: {
    brief: "Cancel a task where that is still possible",
    fullDescription: `A move can be cancelled until the switch is committed; the VM then stays where it is.

Example: godwit task cancel ID`,
  },
  parameters: { flags: { json: jsonFlag }, positional: taskArgument },
  async func(flags: { json: boolean }, id: string) {
    const task = await withApi(async (api) => api.call("taskCancel", { params: { task: await taskId(id) } }));
    if (flags.json) writeJson(task);
    else writeLine(`Task ${id} is being cancelled; godwit task watch ${id} shows how it ends.`);
  },
});

export const taskRoutes = buildRouteMap({
  routes: { list, show, watch, cancel },
  docs: { brief: summaries.task.brief },
});
