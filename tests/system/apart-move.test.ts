/**
 * A VM moves together with its disks between two hosts that share no storage, there and back, while its guest writes: what was
 * acknowledged is on the disk, by a guest that is started again from it. Cut off at any point, its files are at one host, whole, and
 * nothing is at the other.
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { moveOf, type Task } from "@godwit/contract";
import { qemuProcessesOf } from "@godwit/lab";
import { run, until } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { afterAll, beforeAll, expect, test } from "vitest";

/** Of the second disk, of which the rest is a hole. */
const content = randomBytes(12 << 20);

const params = { vm: "web-1" };
const hosts = ["a", "b"] as const;
type Host = (typeof hosts)[number];

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.start({ hosts, pausePoints: true });
  for (const host of hosts) {
    await mkdir(folderOf(host), { recursive: true });
    await lab.lab.host(host).configure({ datastoreFolders: [dirname(folderOf(host))] });
    await restartAgent(host);
  }
  await connected();
  for (const host of hosts) {
    const body = {
      ...{ name: storeOf(host), shared: false, hosts: [host] },
      source: { kind: "directory" as const, path: folderOf(host) },
    };
    await lab.api.call("datastoreAdd", { body });
    await lab.api.call("datastoreInit", {
      params: { datastore: storeOf(host) },
      body: { host, onRoot: true },
    });
  }
  await writeFile(join(folderOf("a"), "big.raw"), content);
  await truncate(join(folderOf("a"), "big.raw"), 64 << 20);
  await lab.boot({
    ...{ on: "a", at: { datastore: storeOf("a"), folder: folderOf("a") } },
    disks: [
      { name: "data", image: "guest/web-1-data.qcow2", take: true },
      { name: "big", image: "big.raw", format: "raw", take: true },
    ],
  });
  // The kernel that the guest is booted with lies beside its disks.
  await run("cp", ["-r", join(folderOf("a"), "guest"), folderOf("b")], { what: "copying the kernel" });
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

const storeOf = (host: Host): string => `local-${host}`;
const folderOf = (host: Host): string => join(lab.lab.host(host).folder, "volumes/local");
const files = ["big.raw", "data.qcow2", "vm.json"];
const otherThan = (host: Host): Host => (host === "a" ? "b" : "a");
const isAt = (host: Host): boolean => existsSync(join(folderOf(host), "web-1"));
const filesOn = async (host: Host): Promise<string[]> =>
  (await readdir(join(folderOf(host), "web-1")).catch(() => [])).sort();
const move = (to: Host, more: { bandwidthMbps?: number } = {}) =>
  // An emulated guest on a busy machine changes much of its memory meanwhile.
  lab.api.call("vmMigrate", {
    params,
    body: { to, datastore: storeOf(to), maxOutageMs: 20_000, ...more },
  });

async function restartAgent(host: Host): Promise<void> {
  await lab.lab.host(host).endAgent();
  await lab.lab.host(host).startAgent();
}

async function connected(): Promise<void> {
  const areUp = async () =>
    (await lab.api.call("hostList", {})).hosts.every(({ state }) => state === "connected");
  expect(await until(areUp, { everyMs: 200, limitMs: 60_000 })).toBe(true);
}

/** The VM's files are there, and nothing of it is at the other host. */
async function isWholeAt(host: Host): Promise<void> {
  // The move's own marks go when it has ended at both.
  const isTidy = async () => (await filesOn(host)).join() === files.join() && !isAt(otherThan(host));
  await until(isTidy, { everyMs: 100, limitMs: 60_000 });
  expect(await filesOn(host)).toEqual(files);
  expect(isAt(otherThan(host))).toBe(false);
  const big = join(folderOf(host), "web-1/big.raw");
  expect((await readFile(big)).subarray(0, content.length).equals(content)).toBe(true);
  const { size, blocks } = await stat(big);
  expect(size).toBe(64 << 20);
  expect(blocks * 512).toBeLessThan(16 << 20);
  expect(await lab.vm("web-1")).toMatchObject({ host, config: { datastore: storeOf(host) } });
}

const isCopyingDisks = (task: Task): boolean => {
  const found = moveOf(task);
  return (found?.disks?.copiedBytes ?? 0) > 0 && found?.progress === null;
};

test("there and back under load, nothing is lost, and the guest starts again from its disk", async () => {
  await using load = await lab.load();
  const vm = await lab.vm("web-1");
  for (const to of ["b", "a", "b"] as const) {
    const task = await lab.succeeded(move(to));
    expect(moveOf(task)).toMatchObject({ to, encrypted: true, disks: { at: "destination" } });
    expect(await lab.runnersOf(vm)).toEqual([to]);
    await isWholeAt(to);
  }
  await lab.succeeded(lab.api.call("vmStop", { params, body: { graceSeconds: 0 } }));
  await lab.succeeded(lab.api.call("vmStart", { params, body: {} }));
  expect(await lab.runnersOf(vm)).toEqual(["b"]);
  load.reconnect();
  expect(await load.finish([])).toMatchObject({ lost: 0, duplicated: 0 });
  expect(await lab.settled(1)).toEqual([]);
});

/** So slow that the disks take a while. */
const slowly = { bandwidthMbps: 40 };

interface Harm {
  name: string;
  /** One of which the task ends with. */
  codes: readonly string[];
  harm: (task: Task, hosts: { from: Host; to: Host }) => Promise<void>;
}

const harms: Harm[] = [
  {
    name: "it is cancelled",
    codes: ["MOVE_CANCELLED"],
    harm: ({ id }) => cancel(id),
  },
  {
    name: "the source's agent is killed",
    codes: ["MOVE_COPY_FAILED"],
    harm: (_, { from }) => restartAgent(from),
  },
  {
    name: "the destination's agent is killed",
    codes: ["MOVE_DESTINATION_FAILED", "MOVE_PEER_LOST", "MOVE_CANCELLED"],
    harm: async ({ id }, { to }) => {
      await restartAgent(to);
      await cancel(id).catch(() => undefined); // it would go on now that the agent is back
    },
  },
  {
    name: "the destination's QEMU is killed",
    codes: ["MOVE_DESTINATION_FAILED", "MOVE_DISKS_FAILED"],
    harm: async (_, { to }) => {
      const qemu = (await qemuProcessesOf(lab.lab)).find(({ host }) => host === to);
      if (qemu === undefined) throw new Error("no QEMU waits at the destination");
      process.kill(qemu.pid, "SIGKILL");
    },
  },
];

async function cancel(task: Task["id"]): Promise<void> {
  await lab.api.call("taskCancel", { params: { task } });
}

test.for(harms)(
  "while the disks are copied $name: the source is whole, the destination clean",
  async ({ codes, harm }) => {
    await using load = await lab.load();
    const vm = await lab.vm("web-1");
    const from = vm.host === "a" ? "a" : "b";
    const to = otherThan(from);
    const task = await move(to, slowly);
    await lab.until(task.id, isCopyingDisks);
    await harm(task, { from, to });
    const ended = await lab.ended(task);
    expect(codes).toContain(ended.error?.code);
    expect(moveOf(ended)?.disks).toMatchObject({ at: "source" });
    expect(await lab.runnersOf(vm)).toEqual([from]);
    await isWholeAt(from);
    expect(await load.finish([])).toMatchObject({ connections: 1, lost: 0, duplicated: 0 });
    expect(await lab.settled(1)).toEqual([]);
  },
);

/** The move comes to a moment, and is held there. @returns its task */
async function heldAt(point: string, holder: Host, to: Host): Promise<Task> {
  const folder = lab.lab.host(holder).pauseFolder;
  await writeFile(join(folder, `${point}.hold`), "");
  const task = await move(to);
  const isReached = () => Promise.resolve(existsSync(join(folder, `${point}.reached`)));
  expect(await until(isReached, { everyMs: 20, limitMs: 120_000 })).toBe(true);
  return task;
}

async function letGo(point: string, holder: Host): Promise<void> {
  const folder = lab.lab.host(holder).pauseFolder;
  for (const end of ["hold", "reached"]) await rm(join(folder, `${point}.${end}`), { force: true });
}

test("in pre-switchover the source's agent is killed: the guest runs on at the source when it is back", async () => {
  await using load = await lab.load();
  const vm = await lab.vm("web-1");
  const from = vm.host === "a" ? "a" : "b";
  const task = await heldAt("stopped", from, otherThan(from));
  await lab.lab.host(from).endAgent();
  await letGo("stopped", from);
  await lab.lab.host(from).startAgent();
  expect(await lab.ended(task)).toMatchObject({ state: "failed", error: { code: "MOVE_COPY_FAILED" } });
  expect(await lab.runnersOf(vm)).toEqual([from]);
  await isWholeAt(from);
  expect(await load.finish([])).toMatchObject({ connections: 1, lost: 0, duplicated: 0 });
});

test("taken over, the destination's QEMU and both agents are killed: the VM starts again at the destination", async () => {
  await using load = await lab.load();
  const vm = await lab.vm("web-1");
  const from = vm.host === "a" ? "a" : "b";
  const to = otherThan(from);
  const task = await heldAt("committed", to, to);
  await Promise.all(hosts.map((host) => lab.lab.host(host).endAgent()));
  const qemus = await qemuProcessesOf(lab.lab);
  expect(qemus.map(({ host }) => host).sort()).toEqual([...hosts]);
  for (const { pid } of qemus) process.kill(pid, "SIGKILL");
  await letGo("committed", to);
  for (const host of hosts) await lab.lab.host(host).startAgent();
  expect(await lab.ended(task)).toMatchObject({ state: "failed", error: { code: "MOVE_VM_LOST" } });
  await isWholeAt(to);
  await lab.succeeded(lab.api.call("vmStart", { params, body: {} }));
  expect(await lab.runnersOf(vm)).toEqual([to]);
  load.reconnect();
  expect(await load.finish([])).toMatchObject({ lost: 0, duplicated: 0 });
  expect(await lab.settled(1)).toEqual([]);
});
