/** What a task does while a host does not answer: it waits, or gives the host up where that was said. */
import { GodwitError, type TaskId, type TaskOf } from "@godwit/contract";
import { expect, test } from "vitest";
import { TaskContext, type TaskServices } from "../src/tasks/task-context.ts";

const task = {
  ...{ id: "task", kind: "vm.suspend", request: {}, createdAt: new Date(0).toISOString(), state: "running" },
} as unknown as TaskOf<"vm.suspend">;

/** @param isUp whether the host answers at all, each time that is asked */
function contextWith(isUp: () => boolean): TaskContext<"vm.suspend"> {
  const link = {
    name: "a",
    get isUp() {
      return isUp();
    },
    comesUp: () => new Promise((resolve) => setTimeout(resolve, 5)),
    unreachable: (error: unknown) => error,
  };
  const services = {
    hosts: { of: () => link, has: () => true },
    store: { tasks: { change: () => Promise.resolve(task) } },
    changes: { announce: () => undefined },
    stopped: new AbortController().signal,
  };
  const log = { warn: () => undefined };
  return new TaskContext(
    { ...task, id: "task" as TaskId },
    services as unknown as TaskServices,
    log as unknown as ConstructorParameters<typeof TaskContext>[2],
  );
}

const lost = () => GodwitError.of("OUTCOME_UNKNOWN", { url: "https://a", what: "suspend", reason: "reset" });
const patience = {
  silentMs: 50,
  givenUp: () => GodwitError.of("SUSPEND_UNKNOWN", { vm: "web-1", host: "a" }),
};

test("a host that stays silent after an answer was lost is given up", async () => {
  let asked = 0;
  const context = contextWith(() => false);
  const answer = context.ask("a", () => Promise.reject((asked++, lost())), patience);
  await expect(answer).rejects.toMatchObject({ code: "SUSPEND_UNKNOWN" });
  expect(asked).toBeGreaterThan(1);
});

test("one that is there, or comes back, is asked until it has answered", async () => {
  let asked = 0;
  const context = contextWith(() => asked % 2 === 1);
  const question = () => {
    asked += 1;
    return asked < 30 ? Promise.reject(lost()) : Promise.resolve("suspended");
  };
  expect(await context.ask("a", question, patience)).toBe("suspended");
});
