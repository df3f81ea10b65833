/**
 * VMs that are suspended to disk: their guests go on where they were, on another host and QEMU too, with their connections; never with
 * disks that are not those that they know; and an agent that is killed meanwhile leaves none half suspended.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, open, rmdir } from "node:fs/promises";
import { join } from "node:path";
import type { Task } from "@godwit/contract";
import { findQemus, qemuProcessesOf } from "@godwit/lab";
import { until } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { afterAll, beforeAll, expect, test } from "vitest";

const params = { vm: "web-1" };
let lab: TestLab;
beforeAll(async () => {
  const versions = (await findQemus()).map(({ version }) => version);
  // A QEMU that is not older goes on with what another has written.
  lab = await TestLab.start({
    hosts: ["a", "b"],
    qemu: { a: versions.at(-1) ?? "", b: versions[0] ?? "" },
  });
  await lab.boot({ on: "a" });
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

const inFolder = (name: string) => join(lab.lab.sharedFolder, "web-1", name);
const suspend = () => lab.api.call("vmSuspend", { params });
const start = (body: { host?: string; discardMemory?: boolean }) => lab.api.call("vmStart", { params, body });
const processes = async () => (await qemuProcessesOf(lab.lab)).length;

test("a guest under load is suspended, and goes on at another host with its connection and all that was acknowledged", async () => {
  const vm = await lab.vm("web-1");
  await using load = await lab.load();
  await lab.succeeded(suspend());
  expect(await processes()).toBe(0);
  expect(existsSync(inFolder(".suspended-memory"))).toBe(true);
  expect(await lab.vm("web-1")).toMatchObject({ state: "stopped", host: "a" });
  expect((await lab.vm("web-1")).config.suspension).toBeDefined();
  const refusals = [
    () => lab.api.call("vmSnapshotCreate", { params, body: { name: "now" } }),
    () => lab.api.call("vmClone", { params, body: { name: "web-2" } }),
    () => lab.api.call("vmSet", { params, body: { tpm: true } }),
  ];
  for (const refused of refusals)
    expect(await lab.ended(refused())).toMatchObject({ state: "failed", error: { code: "VM_SUSPENDED" } });

  await lab.succeeded(start({ host: "b" }));
  expect(await lab.runnersOf(vm)).toEqual(["b"]);
  expect(existsSync(inFolder(".suspended-memory"))).toBe(false);
  expect((await lab.vm("web-1")).config.suspension).toBeUndefined();
  expect(await load.finish([])).toMatchObject({ connections: 1, lost: 0, duplicated: 0 });
});

test("a guest whose memory cannot be written runs on", async () => {
  const vm = await lab.vm("web-1");
  await using load = await lab.load();
  await mkdir(inFolder(".suspended-memory.new"));
  const failed = await lab.ended(suspend());
  expect(failed).toMatchObject({ state: "failed", error: { code: "SUSPEND_FAILED" } });
  expect(failed.error?.details.state).toBe("running");
  await rmdir(inFolder(".suspended-memory.new"));
  expect(await lab.runnersOf(vm)).toEqual(["b"]);
  expect((await lab.vm("web-1")).config.suspension).toBeUndefined();
  expect(await load.finish([])).toMatchObject({ connections: 1, lost: 0, duplicated: 0 });
});

/** A suspension of which some of the memory is written, and no more is until QEMU is let go on: `goOn`. One that was faster is repeated. */
async function suspendAndHold(): Promise<{ task: Task; goOn: () => void }> {
  for (;;) {
    const [qemu] = await qemuProcessesOf(lab.lab);
    if (qemu === undefined) throw new Error("web-1 does not run");
    const task = await suspend();
    await until(() => existsSync(inFolder(".suspended-memory.new")), { everyMs: 5, limitMs: 60_000 });
    const signal = (name: NodeJS.Signals) => {
      try {
        process.kill(qemu.pid, name);
      } catch {
        // It has ended by now.
      }
    };
    signal("SIGSTOP");
    const goOn = () => {
      signal("SIGCONT");
    };
    if (existsSync(inFolder(".suspended-memory.new"))) return { task, goOn };
    goOn();
    await lab.ended(task);
    await lab.succeeded(start({}));
  }
}

test("a suspension is cancelled while the memory is written, also when the agent was killed meanwhile: the guest runs on, and nothing is left", async () => {
  const vm = await lab.vm("web-1");
  await using load = await lab.load();
  for (const isKilled of [false, true]) {
    const { task, goOn } = await suspendAndHold();
    if (isKilled) await lab.lab.host("b").endAgent();
    await lab.api.call("taskCancel", { params: { task: task.id } });
    goOn();
    if (isKilled) await lab.lab.host("b").startAgent();
    expect(await lab.ended(task)).toMatchObject({ state: "cancelled", error: { code: "SUSPEND_CANCELLED" } });
    expect(await lab.runnersOf(vm)).toEqual(["b"]);
    expect((await lab.vm("web-1")).config.suspension).toBeUndefined();
    for (const name of [".suspended-memory.new", ".suspended-memory"])
      expect(existsSync(inFolder(name))).toBe(false);
  }
  expect(await load.finish([])).toMatchObject({ connections: 1, lost: 0, duplicated: 0 });
});

test("a host that was given up is asked again as soon as its agent is back", async () => {
  const agent = lab.lab.host("b");
  await agent.endAgent();
  await until(
    async () => (await lab.api.call("hostShow", { params: { host: "b" } })).state === "unreachable",
    {
      everyMs: 200,
      limitMs: 60_000,
    },
  );
  await expect(lab.api.call("vmPause", { params })).rejects.toMatchObject({ code: "HOST_UNREACHABLE" });
  await agent.startAgent();
  await lab.succeeded(lab.api.call("vmPause", { params }));
  await lab.succeeded(lab.api.call("vmResume", { params }));
});

test("an agent that is killed while it writes a guest's memory suspends it when it is back, and the guest goes on", async () => {
  const vm = await lab.vm("web-1");
  await using load = await lab.load();
  const task = await suspend();
  await until(() => Promise.resolve(existsSync(inFolder(".suspended-memory.new"))), {
    everyMs: 5,
    limitMs: 60_000,
  });
  const agent = lab.lab.host("b");
  await agent.endAgent();
  await agent.startAgent();
  expect(await lab.ended(task)).toMatchObject({ state: "succeeded", error: null });
  expect(await processes()).toBe(0);
  await lab.succeeded(start({}));
  expect(await lab.runnersOf(vm)).toEqual(["b"]);
  expect(await load.finish([])).toMatchObject({ connections: 1, lost: 0, duplicated: 0 });
});

test("what a guest does not know it does not go on with: an older QEMU, and a disk that was written meanwhile; then it boots", async () => {
  const vm = await lab.vm("web-1");
  await lab.succeeded(suspend());
  const older = await lab.api.call("vmCheck", { params, body: { to: "a" } });
  expect(older.findings.map(({ code }) => code)).toContain("SUSPENDED_MEMORY_UNUSABLE");
  expect(older.allowed).toBe(false);

  // Somebody has it open, and reads only: QEMU may not write to it, and the memory is not used up.
  const reader = spawn("qemu-io", ["-r", "-f", "qcow2", inFolder("data.qcow2")], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await once(reader.stdout, "data");
  expect(await lab.ended(start({}))).toMatchObject({ error: { code: "SUSPENDED_MEMORY_UNUSABLE" } });
  reader.stdin.end();
  await once(reader, "exit");
  await lab.succeeded(start({}));
  await lab.succeeded(lab.api.call("vmPause", { params }));
  await lab.succeeded(suspend());
  await lab.succeeded(start({}));
  expect(await lab.vm("web-1")).toMatchObject({ state: "paused", pauseReason: "user", host: "b" });
  await lab.succeeded(suspend());

  await using disk = await open(inFolder("data.qcow2"), "r+");
  const { buffer } = await disk.read(Buffer.alloc(1), 0, 1, 0);
  await disk.write(buffer, 0, 1, 0);
  await disk.sync();
  const refused = await lab.ended(start({}));
  expect(refused).toMatchObject({ state: "failed", error: { code: "SUSPENDED_MEMORY_UNUSABLE" } });
  expect(refused.error?.detail).toContain("disk data was written");
  expect(await processes()).toBe(0);
  expect((await lab.vm("web-1")).config.suspension).toBeDefined();

  await lab.succeeded(start({ discardMemory: true }));
  expect(await lab.runnersOf(vm)).toEqual(["b"]);
  expect(existsSync(inFolder(".suspended-memory"))).toBe(false);
  expect(await lab.settled(1)).toEqual([]);
});
