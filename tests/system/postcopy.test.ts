/**
 * Post-copy: the guest runs at the destination before all its memory is there. Whatever breaks in between, the guest
 * only waits, unless one of the two processes that hold its memory is gone: then the task says so. The oldest QEMU of the
 * machine is used: before 9.0 half of an emulated guest's memory is left when the guest goes on at the destination. With
 * more passes only some MiB are, and a stream that is cut has often carried all of them.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GodwitError, moveOf, type MoveDecision, type Task } from "@godwit/contract";
import { findQemus, qemusOf } from "@godwit/lab";
import { run } from "@godwit/system";
import { allowUserfaultfd, TestLab, withoutBusyMachine } from "@godwit/test-kit";
import { afterAll, beforeAll, expect, test } from "vitest";

let lab: TestLab;
let giveBack: () => Promise<void>;
beforeAll(async () => {
  giveBack = await allowUserfaultfd();
  const oldest = (await findQemus()).at(-1)?.version ?? "";
  lab = await TestLab.start({
    ...{ hosts: ["a", "b"], qemu: { a: oldest, b: oldest } },
    forbidsUserfaultfd: false,
  });
  await lab.boot({ on: "a" });
});
afterAll(async () => {
  // First: a lab that was not made cannot be disposed of.
  await giveBack();
  await lab[Symbol.asyncDispose]();
});

const begin = async (to: string, bandwidthMbps = 100): Promise<Task> =>
  await lab.api.call("vmMigrate", {
    params: { vm: "web-1" },
    // No pause is short enough: it is a post-copy also where the copy would converge.
    body: { to, strategy: "postcopy", bandwidthMbps, maxOutageMs: 1 },
  });
/** The guest runs at the destination, and the rest of its memory follows. */
const follows = async ({ id }: Task): Promise<void> => {
  await lab.until(id, (task) => decisionsOf(task).includes("runsWhileMemoryArrives"));
};
/** How the VM is, wherever. */
const stateOf = async () => {
  const { state, pauseReason } = await lab.vm("web-1");
  return { state, pauseReason };
};
const moveBack = async (): Promise<void> => {
  const { host } = await lab.vm("web-1");
  if (host === "a") return;
  // How long that takes is another test's.
  const body = { to: "a", maxOutageMs: 10_000 };
  await lab.succeeded(lab.api.call("vmMigrate", { params: { vm: "web-1" }, body }));
};
const decisionsOf = (task: Task): MoveDecision["kind"][] =>
  moveOf(task)?.decisions.map(({ kind }) => kind) ?? [];

const userfaultfd = "/proc/sys/vm/unprivileged_userfaultfd";
/** Runs a program with a host's own view of the file system. */
const inMountsOf = async (host: string, ...argv: string[]): Promise<void> => {
  const { agent } = lab.lab.host(host);
  if (agent === null) throw new Error(`the agent of host ${host} does not run`);
  await run("nsenter", ["--target", String(agent.pid), "--mount", "--", ...argv], {
    what: "changing its mounts",
  });
};

test("a host that does not allow it says so before anything moves, and how to allow it", async () => {
  // The kernel's setting is the whole machine's, and another test's too: only host b sees another one.
  const forbidden = join(lab.lab.folder, "forbidden");
  await writeFile(forbidden, "0");
  await inMountsOf("b", "mount", "--bind", forbidden, userfaultfd);
  const refused = await begin("b").catch((error: unknown) => error);
  await inMountsOf("b", "umount", userfaultfd);
  expect(GodwitError.is(refused, "MOVE_REFUSED") && withoutBusyMachine(refused.findings)).toMatchObject([
    {
      code: "POSTCOPY_UNAVAILABLE",
      host: "b",
      remedy: expect.stringMatching(/sysctl vm.unprivileged_userfaultfd=1/) as string,
    },
  ]);
  expect(await lab.runnersOf(await lab.vm("web-1"))).toEqual(["a"]);
  expect(await lab.settled(1)).toEqual([]);
});

test("the guest runs at the destination while its memory follows, and nothing is lost", async () => {
  const vm = await lab.vm("web-1");
  await using load = await lab.load();
  const task = await begin("b");
  await follows(task);
  expect(await lab.runnersOf(vm)).toEqual(["b"]);
  const ended = await lab.succeeded(Promise.resolve(task));
  const record = moveOf(ended);
  expect(record).toMatchObject({ strategy: "postcopy", phase: "succeeded" });
  expect(decisionsOf(ended)).toContain("postcopy");
  // Its one vCPU missed memory that its client's writes needed.
  expect(record?.waitedForMemory?.vcpuMs).toHaveLength(1);
  expect(record?.waitedForMemory?.allMs).toBeGreaterThan(0);
  expect(await lab.runnersOf(vm)).toEqual(["b"]);
  expect(await load.finish([])).toMatchObject({ connections: 1, lost: 0, duplicated: 0 });
  expect(await lab.settled(1)).toEqual([]);
  await moveBack();
});

test("a guest that is paused is never let run by it", async () => {
  await moveBack();
  const vm = await lab.vm("web-1");
  await lab.succeeded(lab.api.call("vmPause", { params: { vm: "web-1" } }));
  await lab.succeeded(begin("b"));
  expect(await stateOf()).toEqual({ state: "paused", pauseReason: "user" });
  expect(await lab.runnersOf(vm)).toEqual([]);
  await lab.succeeded(lab.api.call("vmResume", { params: { vm: "web-1" } }));
  expect(await lab.runnersOf(vm)).toEqual(["b"]);
  await moveBack();
});

test("the migration link is cut in the middle of it: the stream is made again, and the guest has only waited", async () => {
  const vm = await lab.vm("web-1");
  await using load = await lab.load();
  const task = await begin("b", 40);
  await follows(task);
  for (const [from, to] of [
    ["a", "b"],
    ["b", "a"],
  ] as const)
    await lab.lab.setPath("migration", from, to, false);
  await lab.until(task.id, (now) => decisionsOf(now).includes("streamBroken"));
  for (const [from, to] of [
    ["a", "b"],
    ["b", "a"],
  ] as const)
    await lab.lab.setPath("migration", from, to, true);
  await lab.succeeded(Promise.resolve(task));
  expect(await lab.runnersOf(vm)).toEqual(["b"]);
  expect(await load.finish([])).toMatchObject({ connections: 1, lost: 0, duplicated: 0 });
  expect(await lab.settled(1)).toEqual([]);
  await moveBack();
});

test("both agents are killed in the middle of it: they go on with it when they are back", async () => {
  const vm = await lab.vm("web-1");
  await using load = await lab.load();
  const task = await begin("b", 40);
  await follows(task);
  await Promise.all(["a", "b"].map((host) => lab.lab.host(host).endAgent()));
  expect(await lab.runnersOf(vm)).toEqual(["b"]);
  await Promise.all(["a", "b"].map((host) => lab.lab.host(host).startAgent()));
  await lab.succeeded(Promise.resolve(task));
  expect(await lab.runnersOf(vm)).toEqual(["b"]);
  expect(await load.finish([])).toMatchObject({ connections: 1, lost: 0, duplicated: 0 });
  expect(await lab.settled(1)).toEqual([]);
  await moveBack();
});

test("the source's QEMU dies in the middle of it: the VM is lost, the task says so, and it can be started again", async () => {
  const vm = await lab.vm("web-1");
  const task = await begin("b", 40);
  await follows(task);
  const qemu = (await qemusOf(lab.lab)).find((one) => one.host === "a");
  if (qemu === undefined) throw new Error("no QEMU is left on a");
  process.kill(qemu.pid, "SIGKILL");
  const ended = await lab.ended(task);
  expect(ended).toMatchObject({ state: "failed", error: { code: "MOVE_VM_LOST" } });
  expect(ended.error?.detail).toMatch(/rest of its memory/);
  expect(await lab.runnersOf(vm)).toEqual([]);
  expect(await lab.settled(0)).toEqual([]);
  await lab.succeeded(lab.api.call("vmStart", { params: { vm: "web-1" }, body: {} }));
});
