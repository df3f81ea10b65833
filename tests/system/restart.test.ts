/** Programs of Godwit are killed at the worst moments: what runs goes on, and what is known is true afterwards. */
import type { Task } from "@godwit/contract";
import { expect, test } from "vitest";
import { qemuProcessesOf } from "@godwit/lab";
import { endProcess, run, until } from "@godwit/system";
import { inPhase, TestLab } from "@godwit/test-kit";

const slow = { to: "b", bandwidthMbps: 400 };

test("server, database and agents are killed under a running VM: it runs on, and everything is known again", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b"] });
  const vm = await lab.boot({ on: "a" });
  await using load = await lab.load();

  await lab.lab.host("a").endAgent();
  await lab.lab.host("a").startAgent();
  const postgres = await lab.lab.server.postgresProcess();
  if (postgres === null) throw new Error("no PostgreSQL runs");
  await endProcess(postgres, "SIGKILL", 0);
  await lab.lab.server.end();
  await lab.lab.server.start();

  expect(await lab.vm("web-1")).toMatchObject({ host: "a", state: "running" });
  expect(await lab.runnersOf(vm)).toEqual(["a"]);
  const moved = await lab.ended(lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to: "b" } }));
  expect(moved).toMatchObject({ state: "succeeded", error: null });
  expect(await lab.runnersOf(vm)).toEqual(["b"]);
  expect(await load.finish([])).toMatchObject({ connections: 1, lost: 0, duplicated: 0 });
  expect(await lab.settled(1)).toEqual([]);
});

test("the server is killed during a move: the agents finish it, and the task tells so afterwards", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b"] });
  const vm = await lab.boot({ on: "a" });
  await using load = await lab.load();
  const task = await lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: slow });
  await lab.until(task.id, inPhase("copying"));
  await lab.lab.server.end();
  await lab.lab.server.start();
  expect(await lab.ended(task)).toMatchObject({ state: "succeeded", move: { phase: "succeeded" } });
  expect(await lab.runnersOf(vm)).toEqual(["b"]);
  expect(await load.finish([])).toMatchObject({ connections: 1, lost: 0, duplicated: 0 });
  expect(await lab.settled(1)).toEqual([]);
});

test("the source's agent is killed during the copy: the move is undone, the VM runs on at the source", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b"] });
  const vm = await lab.boot({ on: "a" });
  await using load = await lab.load();
  const task = await copying(lab);
  await lab.lab.host("a").endAgent();
  await lab.lab.host("a").startAgent();
  const ended = await lab.ended(task);
  expect(ended).toMatchObject({ state: "failed", error: { code: "MOVE_COPY_FAILED" } });
  expect(await lab.runnersOf(vm)).toEqual(["a"]);
  expect(await load.finish([])).toMatchObject({ connections: 1, lost: 0, duplicated: 0 });
  expect(await lab.settled(1)).toEqual([]);
});

test("the destination's agent is killed during the copy: the VM runs on exactly one host, and the task tells the truth", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b"] });
  const vm = await lab.boot({ on: "a" });
  await using load = await lab.load();
  const task = await copying(lab);
  await lab.lab.host("b").endAgent();
  await lab.lab.host("b").startAgent();
  const ended = await lab.ended(task);
  const expected = ended.state === "succeeded" ? "b" : "a";
  expect(await lab.runnersOf(vm)).toEqual([expected]);
  expect((await lab.vm("web-1")).host).toBe(expected);
  expect(await load.finish([])).toMatchObject({ connections: 1, lost: 0, duplicated: 0 });
  expect(await lab.settled(1)).toEqual([]);
});

test("both agents are killed at once during the copy: the move is undone, and nothing of it is left", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b"] });
  const vm = await lab.boot({ on: "a" });
  await using load = await lab.load();
  const task = await copying(lab);
  await Promise.all(["a", "b"].map((host) => lab.lab.host(host).endAgent()));
  await Promise.all(["a", "b"].map((host) => lab.lab.host(host).startAgent()));
  expect(await lab.ended(task)).toMatchObject({ state: "failed", error: { code: "MOVE_COPY_FAILED" } });
  expect(await lab.runnersOf(vm)).toEqual(["a"]);
  expect(await load.finish([])).toMatchObject({ connections: 1, lost: 0, duplicated: 0 });
  expect(await lab.settled(1)).toEqual([]);
});

/** A move to b that takes a while. */
async function copying(lab: TestLab): Promise<Task> {
  const body = { to: "b", bandwidthMbps: 100 };
  const task = await lab.api.call("vmMigrate", { params: { vm: "web-1" }, body });
  await lab.until(task.id, inPhase("copying"));
  return task;
}

/** A QEMU that stands still is asked by an agent that does not know yet whether it will answer. */
async function isAsked(namespace: string): Promise<boolean> {
  const what = "counting connections to QEMU";
  const { stdout } = await run("ip", ["netns", "exec", namespace, "ss", "-xlH"], { what });
  return stdout.split("\n").some((line) => /\/qmp/.test(line) && Number(line.split(/\s+/)[2]) > 0);
}

test.each([
  ["ends while its agent looks at it again", async () => undefined, "SIGKILL"],
  ["does not answer for long, and then does", isSetAside, "SIGCONT"],
] as const)(
  "the destination's QEMU %s: the move is undone, and nothing of it is left",
  async (_, before, signal) => {
    await using lab = await TestLab.start({ hosts: ["a", "b"] });
    const vm = await lab.boot({ on: "a" });
    await using load = await lab.load();
    const task = await copying(lab);
    const there = (await qemuProcessesOf(lab.lab)).find(({ host }) => host === "b");
    if (there === undefined) throw new Error("no QEMU waits on b");
    process.kill(there.pid, "SIGSTOP");
    await lab.lab.host("b").endAgent();
    await lab.lab.host("b").startAgent();
    await until(() => isAsked(lab.lab.namespace("b")), { everyMs: 20, limitMs: 60_000 });
    await before(lab);
    process.kill(there.pid, signal);
    expect(await lab.ended(task)).toMatchObject({ state: "failed", error: { code: "MOVE_PEER_LOST" } });
    expect(await lab.runnersOf(vm)).toEqual(["a"]);
    expect(await load.finish([])).toMatchObject({ connections: 1, lost: 0, duplicated: 0 });
    expect(await lab.settled(1)).toEqual([]);
  },
);

/** Waits until the agent of b has given up to wait for an answer of its QEMU. */
async function isSetAside({ api }: TestLab): Promise<void> {
  const isTold = async () =>
    (await api.call("hostShow", { params: { host: "b" } })).facts?.vmsSetAside?.length === 1;
  await until(isTold, { everyMs: 500, limitMs: 120_000 });
}
