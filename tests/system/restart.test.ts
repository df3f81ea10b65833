/** Programs of Godwit are killed at the worst moments: what runs goes on, and what is known is true afterwards. */
import { expect, test } from "vitest";
import { endProcess } from "@godwit/system";
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
  const task = await lab.api.call("vmMigrate", {
    params: { vm: "web-1" },
    body: { to: "b", bandwidthMbps: 100 },
  });
  await lab.until(task.id, inPhase("copying"));
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
  const task = await lab.api.call("vmMigrate", {
    params: { vm: "web-1" },
    body: { to: "b", bandwidthMbps: 100 },
  });
  await lab.until(task.id, inPhase("copying"));
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
  const task = await lab.api.call("vmMigrate", {
    params: { vm: "web-1" },
    body: { to: "b", bandwidthMbps: 100 },
  });
  await lab.until(task.id, inPhase("copying"));
  await Promise.all(["a", "b"].map((host) => lab.lab.host(host).endAgent()));
  await Promise.all(["a", "b"].map((host) => lab.lab.host(host).startAgent()));
  expect(await lab.ended(task)).toMatchObject({ state: "failed", error: { code: "MOVE_COPY_FAILED" } });
  expect(await lab.runnersOf(vm)).toEqual(["a"]);
  expect(await load.finish([])).toMatchObject({ connections: 1, lost: 0, duplicated: 0 });
  expect(await lab.settled(1)).toEqual([]);
});
