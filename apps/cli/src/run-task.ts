/** A command that is a task: shows its way, says how it ended, and ends with the right code. */
import type { Task } from "@godwit/contract";
import { GodwitError } from "@godwit/contract/errors";
import type { Api } from "./connection.ts";
import { Exit, exitCodeOf, exitCodes, problemText } from "./output/problem.ts";
import { StatusLine, writeJson, writeLine, writeNote } from "./output/screen.ts";
import { moveSummary, phaseOf, progressText } from "./output/task-view.ts";

const plainEveryMs = 2000;

export interface TaskFlags {
  json: boolean;
  /** Return as soon as the task is entered. */
  detach?: boolean;
}

/**
 * @param done what to say at a good end; a move tells its summary
 * @throws Exit with code 1 when the task failed or was cancelled, 3 when it was refused with findings
 */
export async function runTask(
  api: Api,
  started: Promise<Task>,
  flags: TaskFlags,
  done: string | ((ended: Task) => string),
): Promise<void> {
  const task = await entered(started);
  if (flags.detach === true) {
    if (flags.json) writeJson(task);
    else writeLine(`Task ${task.id} has started; godwit task watch ${task.id} follows it.`);
    return;
  }
  const ended = await endOf(api, task, flags);
  if (flags.json) {
    writeJson(ended);
    return;
  }
  const text = typeof done === "string" ? done : done(ended);
  if (ended.kind === "vm.migrate" && ended.move !== null)
    writeLine(moveSummary(ended.move, ended.request.forecast));
  else writeLine(text);
}

/**
 * The good end of a task, of which nothing is written: what its command tells follows.
 * @throws Exit as `runTask`
 */
export async function taskEnd(api: Api, started: Promise<Task>, flags: { json: boolean }): Promise<Task> {
  return await endOf(api, await entered(started), flags);
}

async function endOf(api: Api, task: Task, { json }: { json: boolean }): Promise<Task> {
  const ended = await watchTask(api, task);
  if (ended.state === "succeeded") return ended;
  if (json) writeJson(ended);
  const error = ended.error === null ? null : GodwitError.fromProblem(ended.error);
  if (!json && error !== null) writeNote(problemText(error));
  throw new Exit(error === null ? exitCodes.failed : exitCodeOf(error));
}

/** The task as the server has entered it. Ctrl-C before its answer says that it may have been. */
async function entered(started: Promise<Task>): Promise<Task> {
  const { promise: interrupted, reject } = Promise.withResolvers<never>();
  const onInterrupt = () => {
    writeNote(
      "The server has not answered yet, and may carry this out all the same.\n  Look whether it does: godwit task list",
    );
    reject(new Exit(exitCodes.interrupted));
  };
  process.once("SIGINT", onInterrupt);
  try {
    return await Promise.race([started, interrupted]);
  } finally {
    process.off("SIGINT", onInterrupt);
  }
}

/**
 * Follows a task with a status line, or with plain lines where nobody looks at a terminal. Ctrl-C ends the following
 * and not the task, and says so.
 */
export async function watchTask(api: Api, task: Task): Promise<Task> {
  const status = new StatusLine();
  let lastPhase: string | null = null;
  let lastAt = 0;
  let lastText: string | null = null;
  const interrupted = new AbortController();
  const onInterrupt = () => {
    status.clear();
    writeNote(
      `${task.description} continues without this command.\n` +
        `  Follow it: godwit task watch ${task.id}\n  Cancel it: godwit task cancel ${task.id}`,
    );
    interrupted.abort(new Exit(exitCodes.interrupted));
  };
  process.once("SIGINT", onInterrupt);
  const show = (now: Task) => {
    const text = progressText(now);
    status.update(text);
    if (status.isTerminal) return;
    const dueMs = performance.now() - lastAt;
    const phase = phaseOf(now);
    if (text === lastText || (phase === lastPhase && dueMs < plainEveryMs)) return;
    lastText = text;
    lastPhase = phase;
    lastAt = performance.now();
    status.line(text);
  };
  try {
    const { followTask } = await import("./follow-task.ts");
    interrupted.signal.throwIfAborted();
    return await followTask(api, task.id, show, interrupted.signal);
  } finally {
    process.off("SIGINT", onInterrupt);
    status.clear();
  }
}
