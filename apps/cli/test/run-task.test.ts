/** A command that follows a task: Ctrl-C ends the following and not the task, and says how to go on. */
import type { Task } from "@godwit/contract";
import { expect, test, vi } from "vitest";
import type { Api } from "../src/connection.ts";
import { Exit } from "../src/output/problem.ts";
import { runTask } from "../src/run-task.ts";

const task = {
  id: "6f1a3c52-1111-4222-8333-444455556666",
  kind: "vm.stop",
  revision: 1,
  description: "Power VM web-1 off",
  state: "running",
  subject: { kind: "vm", id: "x", name: "web-1" },
  steps: [],
  waitingFor: null,
  error: null,
} as unknown as Task;

/** A server whose task never ends, and that remembers what it is asked. */
function neverEnding(): { api: Api; calls: string[]; shown: Promise<unknown> } {
  const calls: string[] = [];
  const { promise: shown, resolve: show } = Promise.withResolvers<undefined>();
  const api = {
    call: (operation: string) => {
      calls.push(operation);
      if (operation === "taskShow") show(undefined);
      return Promise.resolve(task);
    },
    follow: async function* (_: string, { signal, onOpen }: { signal: AbortSignal; onOpen: () => void }) {
      onOpen();
      await new Promise((resolve) => {
        signal.addEventListener("abort", resolve);
      });
      yield* [];
    },
  };
  return { api: api as unknown as Api, calls, shown };
}

test("Ctrl-C before the server has answered says that the task may have been entered, and ends with 130", async () => {
  const { api } = neverEnding();
  const written = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const listeners = process.listenerCount("SIGINT");
  const { promise: unanswered } = Promise.withResolvers<Task>();
  const ended = expect(runTask(api, unanswered, { json: false }, "")).rejects.toEqual(new Exit(130));
  process.emit("SIGINT");
  await ended;
  const text = written.mock.calls.map(([words]) => String(words)).join("");
  written.mockRestore();
  expect(text).toContain("The server has not answered yet, and may carry this out all the same.");
  expect(text).toContain("godwit task list");
  expect(process.listenerCount("SIGINT")).toBe(listeners);
});

test("Ctrl-C leaves the task alone, names the commands that follow and cancel it, and ends with 130", async () => {
  const { api, calls, shown } = neverEnding();
  const written = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const listeners = process.listenerCount("SIGINT");
  const command = runTask(api, Promise.resolve(task), { json: false }, "VM web-1 is stopped.");
  const ended = expect(command).rejects.toEqual(new Exit(130));
  await shown;
  process.emit("SIGINT");
  await ended;
  const text = written.mock.calls.map(([words]) => String(words)).join("");
  written.mockRestore();
  expect(text).toContain("Power VM web-1 off continues without this command.");
  expect(text).toContain(`godwit task watch ${task.id}`);
  expect(text).toContain(`godwit task cancel ${task.id}`);
  expect(calls).not.toContain("taskCancel");
  expect(process.listenerCount("SIGINT")).toBe(listeners);
});
