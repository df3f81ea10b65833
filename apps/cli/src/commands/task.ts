/** `godwit task …` */
import type { Task, TaskId, TaskState } from "@godwit/contract";
import { GodwitError } from "@godwit/contract/errors";
import { buildCommand, buildRouteMap, numberParser } from "@stricli/core";
import { withApi, type Api } from "../connection.ts";
import { formatTable, parseMbps, parseMs } from "../output/format.ts";
import { writeJson, writeLine } from "../output/screen.ts";
import { limitsText, outcomeText, taskText } from "../output/task-view.ts";
import { runTask } from "../run-task.ts";
import { jsonFlag, proposed, wordsOf } from "./common.ts";
import { summaries } from "../summaries.ts";

const taskArgument = {
  kind: "tuple",
  parameters: [
    {
      brief: "Id, or its first characters",
      placeholder: "task",
      parse: String,
      proposeCompletions: (partial: string) =>
        proposed(async (api) =>
          (await recentTasks(api))
            .map(({ id }) => id.slice(0, shownIdLength))
            .filter((id) => id.startsWith(partial)),
        ),
    },
  ],
} as const;

/** Enough to tell the tasks of a list apart. */
const shownIdLength = 8;
const shortestPrefix = 4;

const mostAtOnce = 500;

const recentTasks = async (api: Api): Promise<Task[]> =>
  (await api.call("taskList", { query: { limit: mostAtOnce } })).tasks;

/** As many as are asked for, in pages. */
async function newestTasks(api: Api, wanted: number, state: TaskState | undefined): Promise<Task[]> {
  const tasks: Task[] = [];
  let cursor: string | null = null;
  do {
    const query = {
      limit: Math.min(wanted - tasks.length, mostAtOnce),
      ...(state === undefined ? {} : { state }),
      ...(cursor === null ? {} : { cursor }),
    };
    const page: { tasks: Task[]; next: string | null } = await api.call("taskList", { query });
    tasks.push(...page.tasks);
    cursor = page.next;
  } while (cursor !== null && tasks.length < wanted);
  return tasks;
}

/** @throws USAGE when no task, or more than one, has an id that begins so */
async function taskId(api: Api, text: string): Promise<TaskId> {
  const { isId } = await import("@godwit/contract");
  if (isId(text)) return text as TaskId;
  const isPrefix = text.length >= shortestPrefix && /^[0-9a-f-]+$/.test(text);
  const found = isPrefix ? (await recentTasks(api)).filter(({ id }) => id.startsWith(text)) : [];
  if (found.length === 1 && found[0] !== undefined) return found[0].id;
  throw GodwitError.of("USAGE", {
    what:
      found.length > 1
        ? `Several tasks have ids that begin with "${text}".`
        : text.length < shortestPrefix
          ? `"${text}" is too short for a task's id: its first ${String(shortestPrefix)} characters are needed.`
          : `There is no task "${text}".`,
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
    const tasks = await withApi((api) => newestTasks(api, flags.limit, flags.state));
    if (flags.json) {
      writeJson(tasks);
      return;
    }
    writeLine(
      formatTable([
        ["ID", "KIND", "SUBJECT", "STATE", "STARTED", "RESULT"],
        ...tasks.map((task) => [
          task.id.slice(0, shownIdLength),
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
    const task = await withApi(async (api) =>
      api.call("taskShow", { params: { task: await taskId(api, id) } }),
    );
    if (flags.json) writeJson(task);
    else writeLine(taskText(task));
  },
});

const watch = buildCommand({
  docs: { brief: "Follow a task to its end", fullDescription: "Example: godwit task watch ID" },
  parameters: { flags: { json: jsonFlag }, positional: taskArgument },
  async func(flags: { json: boolean }, id: string) {
    await withApi(async (api) => {
      const task = api.call("taskShow", { params: { task: await taskId(api, id) } });
      await runTask(api, task, flags, "The task has succeeded.");
    });
  },
});

const set = buildCommand({
  docs: {
    brief: "Change the limits of a move while it waits or goes on",
    fullDescription: `What is not named stays. The move's record tells each change. --bandwidth none takes what the link gives.

Examples:
  godwit task set ID --bandwidth 500
  godwit task set ID --max-outage 100ms`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      bandwidth: {
        kind: "parsed",
        parse: parseMbps,
        brief: "Highest bandwidth of the copy, Mbit/s, or none",
        optional: true,
      },
      maxOutage: {
        kind: "parsed",
        parse: parseMs,
        brief: "Longest pause that is allowed",
        optional: true,
      },
    },
    positional: taskArgument,
  },
  async func(flags: { json: boolean; bandwidth?: number | "none"; maxOutage?: number }, id: string) {
    const { bandwidth, maxOutage: maxOutageMs } = flags;
    if (bandwidth === undefined && maxOutageMs === undefined)
      throw GodwitError.of("USAGE", {
        what: "Nothing is to be changed.",
        hint: "Name --bandwidth or --max-outage, like: godwit task set ID --bandwidth 500",
      });
    const task = await withApi(async (api) =>
      api.call("taskSet", {
        params: { task: await taskId(api, id) },
        body: {
          ...(bandwidth === undefined ? {} : { bandwidthMbps: bandwidth === "none" ? null : bandwidth }),
          ...(maxOutageMs === undefined ? {} : { maxOutageMs }),
        },
      }),
    );
    if (flags.json) writeJson(task);
    else writeLine(`${task.description}: ${limitsText(task)}.`);
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
    const task = await withApi(async (api) =>
      api.call("taskCancel", { params: { task: await taskId(api, id) } }),
    );
    if (flags.json) writeJson(task);
    else writeLine(`Task ${id} is being cancelled; godwit task watch ${id} shows how it ends.`);
  },
});

export const taskRoutes = buildRouteMap({
  routes: { list, show, watch, set, cancel },
  docs: { brief: summaries.task.brief },
});
