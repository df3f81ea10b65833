/** A pool is updated, one host after the other, under load: whatever fails or dies on the way, no VM is lost and the state is true. */
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GodwitError, type HostUpdate, type Task } from "@godwit/contract";
import { run, until } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { afterAll, beforeAll, expect, test } from "vitest";

const params = { pool: "east" };
let lab: TestLab;
let marks: string;
beforeAll(async () => {
  lab = await TestLab.start({ hosts: ["a", "b", "c"] });
  marks = join(lab.lab.folder, "marks");
  await writeFile(marks, "");
  await lab.api.call("poolCreate", { body: { name: "east", hosts: ["a", "b", "c"] } });
  await lab.boot({ name: "web-1", on: "a", memoryMib: 192 });
  await lab.boot({ name: "web-2", on: "b", memoryMib: 192 });
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

/** Each host is a network namespace of its own. */
const mark = () => `readlink /proc/self/ns/net >> ${marks}`;
const marked = async () => (await readFile(marks, "utf8")).split("\n").filter((line) => line !== "");
const update = (command: string | undefined, more: object = {}) =>
  lab.api.call("poolUpdate", { params, body: { command, maxOutageMs: 10_000, ...more } });
const hostsOf = (task: Task): HostUpdate[] => (task.kind === "pool.update" ? (task.hosts ?? []) : []);
const maintenance = async () =>
  Object.fromEntries((await lab.api.call("hostList", {})).hosts.map((host) => [host.name, host.maintenance]));
const runners = async () =>
  await Promise.all(["web-1", "web-2"].map(async (name) => await lab.runnersOf(await lab.vm(name))));

test("every host is emptied, runs the command once, and gets its VMs back, also when the server is killed meanwhile", async () => {
  const plan = await lab.api.call("poolUpdateCheck", { params, body: { command: "true" } });
  expect(plan).toMatchObject({ allowed: true });
  expect(plan.hosts[0]).toMatchObject({ host: "c", vms: [], bytes: 0, findings: [] });

  await using load = await lab.load();
  const { id } = await update(`${mark()}; echo updated; sleep 3`);
  await lab.until(id, (task) => hostsOf(task).some(({ phase }) => phase === "running"));
  const exit = lab.api.call("hostMaintenanceExit", { params: { host: "c" } });
  await expect(exit).rejects.toMatchObject({ code: "HOST_TASK_UNDER_WAY" });
  await lab.lab.server.end();
  await lab.lab.server.start();
  const task = await lab.ended({ id } as Task);
  expect(task.error).toBeNull();
  expect(await load.finish([])).toMatchObject({ lost: 0, duplicated: 0 });
  expect(hostsOf(task).map(({ phase, exitCode, output }) => [phase, exitCode, output])).toEqual(
    Array(3).fill(["done", 0, "updated\n"]),
  );
  const lines = await marked();
  expect(lines).toHaveLength(3);
  expect(new Set(lines).size).toBe(3);
  expect(await runners()).toEqual([["a"], ["b"]]);
  expect(await maintenance()).toEqual({ a: "off", b: "off", c: "off" });
  expect(await lab.settled(2)).toEqual([]);
});

test("the first trouble ends it: that host stays in maintenance, and no other one begins", async () => {
  const hosts = ["c", "a", "b"];
  const command = `${mark()}; test $(wc -l < ${marks}) -lt 5 || { echo "no space"; exit 7; }`;
  const task = await lab.ended(update(command, { hosts }));
  expect(task).toMatchObject({ state: "failed", error: { code: "POOL_UPDATE_STOPPED" } });
  expect(task.error?.detail).toBe(
    "The update of pool east stopped at host a: its command ended with exit code 7 (no space). Host a takes no VMs until it is taken back. Updated: c; not started: b.",
  );
  expect(await marked()).toHaveLength(5);
  expect(await maintenance()).toEqual({ a: "on", b: "off", c: "off" });
  expect((await runners()).every((where) => where.length === 1 && !where.includes("a"))).toBe(true);

  // One that is in maintenance stays so.
  const again = await lab.succeeded(update("true", { hosts: ["a"] }));
  expect(hostsOf(again)[0]).toMatchObject({ wasInMaintenance: true, phase: "done" });
  expect((await maintenance())["a"]).toBe("on");
  await lab.api.call("hostMaintenanceExit", { params: { host: "a" } });
});

test("cancelled while the command runs, that host is finished and taken back, and no other one begins", async () => {
  const { id } = await update("sleep 5", { hosts: ["b", "c"] });
  await lab.until(id, (task) => hostsOf(task).some(({ phase }) => phase === "running"));
  await lab.api.call("taskCancel", { params: { task: id } });
  const task = await lab.ended({ id } as Task);
  expect(task).toMatchObject({ state: "cancelled", error: { details: { done: ["b"], left: ["c"] } } });
  expect(await maintenance()).toEqual({ a: "off", b: "off", c: "off" });
});

test("a host is booted again, and counts as updated when what worked there works again", async () => {
  const host = lab.lab.host("c");
  const flag = join(lab.lab.folder, "reboot");
  await host.configure({ updates: { commands: true, rebootCommand: `touch ${flag}` } });
  await host.endAgent();
  await host.startAgent();
  // Until it is booted it has another boot id than the machine's.
  const bootId = join(lab.lab.folder, "boot-id");
  await writeFile(bootId, "11111111-1111-4111-8111-111111111111\n");
  const mount = ["mount", "--bind", bootId, "/proc/sys/kernel/random/boot_id"];
  await run("nsenter", ["--target", String(host.agent?.pid ?? 0), "--mount", ...mount], {
    what: "giving a host a boot id",
  });
  await until(
    async () => (await lab.api.call("hostShow", { params: { host: "c" } })).unreachableReason === null,
    {
      everyMs: 200,
      limitMs: 60_000,
    },
  );
  // It is refused while the agent that was started again still tells that something is not ready.
  const begun = await until(
    () =>
      update(undefined, { hosts: ["c"], reboot: true }).catch((error: unknown) => {
        if (GodwitError.is(error, "POOL_UPDATE_REFUSED")) return null;
        throw error;
      }),
    { everyMs: 500, limitMs: 60_000 },
  );
  if (begun === null) throw new Error("the update is refused for a minute");
  const { id } = begun;
  expect(await until(() => stat(flag).catch(() => null), { everyMs: 100, limitMs: 120_000 })).not.toBeNull();
  await host.cutPower();
  await host.powerOn();
  const task = await lab.ended({ id } as Task);
  expect(task.error).toBeNull();
  expect(hostsOf(task)[0]).toMatchObject({ phase: "done", exitCode: null });
});

test("a host whose administrator has not allowed it is named, and nothing is changed", async () => {
  const host = lab.lab.host("b");
  await host.configure({ updates: undefined });
  await host.endAgent();
  await host.startAgent();
  const refused = await until(
    async () => {
      const error: unknown = await update("true", { timeoutSeconds: 5 }).then(
        async (task) => {
          await lab.ended(task);
          return null;
        },
        (reason: unknown) => reason,
      );
      return (
        GodwitError.is(error, "POOL_UPDATE_REFUSED") &&
        error.findings.some(({ code }) => code === "HOST_COMMANDS_OFF") &&
        error
      );
    },
    { everyMs: 500, limitMs: 120_000 },
  );
  expect(refused).not.toBeNull();
  expect(await maintenance()).toEqual({ a: "off", b: "off", c: "off" });
});
