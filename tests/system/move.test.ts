/** Moves of a running VM in a lab, under a client's load; the proof comes from the client and the machine. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { GodwitError, moveOf, type VmDescriptionInput } from "@godwit/contract";
import { until } from "@godwit/system";
import { inPhase, TestLab } from "@godwit/test-kit";
import { afterAll, beforeAll, expect, test } from "vitest";

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.start({ hosts: ["a", "b"] });
  await lab.boot({ on: "a" });
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

test("a VM moves there and back, and its client loses nothing", async () => {
  await using load = await lab.load();
  const vm = await lab.vm("web-1");
  for (const to of ["b", "a"]) {
    const from = (await lab.vm("web-1")).host;
    const task = await lab.succeeded(lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to } }));
    expect(await lab.runnersOf(vm)).toEqual([to]);
    expect(await lab.vm("web-1")).toMatchObject({ host: to, state: "running" });
    const move = moveOf(task);
    expect(move).toMatchObject({ from, to, phase: "succeeded", encrypted: true, error: null });
    expect(move?.stopToContMs).toBeGreaterThan(0);
    expect(move?.bytes).toBeGreaterThan(50_000_000);
    expect(move?.cpu?.source?.qemuMs).toBeGreaterThan(0);
    expect(task).toMatchObject({ kind: "vm.migrate", result: { host: to } });
    expect(task.steps.map(({ key }) => key)).toEqual(["preparing", "copying", "switching", "committed"]);
  }
  expect(await load.finish([])).toMatchObject({ connections: 1, reconnects: 0, lost: 0, duplicated: 0 });
  expect(await lab.settled(1)).toEqual([]);
});

/** Has a program of Node write down each program that it starts: the time and its words. */
const noting = (file: string): string =>
  `--import=data:text/javascript,${encodeURIComponent(`
    import { subscribe } from "node:diagnostics_channel";
    import { appendFileSync } from "node:fs";
    subscribe("child_process", ({ process: child }) => setImmediate(() =>
      appendFileSync(${JSON.stringify(file)}, Date.now() + " " + child.spawnargs.join(" ").slice(0, 80) + "\\n")));
  `)}`;

test("a move starts few programs before its first byte: each of them stops an agent for milliseconds", async () => {
  const fileOf = (host: string) => join(lab.lab.host(host).folder, "programs");
  for (const { name } of lab.lab.hosts) {
    await lab.lab.host(name).endAgent();
    await lab.lab.host(name).startAgent({ NODE_OPTIONS: noting(fileOf(name)) });
  }
  const areUp = async () =>
    (await lab.api.call("hostList", {})).hosts.every(({ state }) => state === "connected");
  expect(await until(areUp, { everyMs: 100, limitMs: 60_000 })).toBe(true);
  const starts: Record<"source" | "destination", string[][]> = { source: [], destination: [] };
  // The fewest of all moves: what an agent looks at now and then falls into some of them, on a busy machine into most.
  const fewest = (of: string[][]) => of.reduce((least, one) => (one.length < least.length ? one : least));
  const most = { source: 3, destination: 7 };
  const areFew = () =>
    fewest(starts.source).length <= most.source && fewest(starts.destination).length <= most.destination;
  // There and back.
  for (let moves = 0; moves < 16 && (moves < 2 || moves % 2 === 1 || !areFew()); moves++) {
    const to = moves % 2 === 0 ? "b" : "a";
    const from = (await lab.vm("web-1")).host;
    const began = Date.now();
    const task = await lab.succeeded(lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to } }));
    const copying = moveOf(task)?.phases.find(({ phase }) => phase === "copying")?.at ?? "";
    const startedAt = async (host: string) =>
      (await readFile(fileOf(host), "utf8")).split("\n").filter((line) => {
        const atMs = Number.parseInt(line, 10);
        // A host that the VM has just left looks whether the network has learned that, which is of the move before.
        return atMs >= began && atMs <= Date.parse(copying) && !line.includes(" fdb get ");
      });
    starts.source.push(await startedAt(from));
    starts.destination.push(await startedAt(to));
  }
  const words = JSON.stringify(starts, null, 2);
  expect(fewest(starts.source).length, words).toBeLessThanOrEqual(most.source);
  expect(fewest(starts.destination).length, words).toBeLessThanOrEqual(most.destination);
  expect(
    fewest(starts.destination).some((line) => / sanlock /.test(line)),
    words,
  ).toBe(true);
});

test("a cancelled move leaves the guest running at the source", async () => {
  await using load = await lab.load();
  const vm = await lab.vm("web-1");
  const task = await lab.api.call("vmMigrate", {
    params: { vm: "web-1" },
    body: { to: "b", bandwidthMbps: 200 },
  });
  await lab.until(task.id, inPhase("copying"));
  // Where a VM is on its way to is needed.
  await expect(
    lab.api.call("hostRemove", { params: { host: "b" }, query: { force: "false" } }),
  ).rejects.toMatchObject({ code: "HOST_BUSY" });
  await lab.api.call("taskCancel", { params: { task: task.id } });
  expect(await lab.ended(task)).toMatchObject({ state: "cancelled", error: { code: "MOVE_CANCELLED" } });
  expect(await lab.runnersOf(vm)).toEqual(["a"]);
  expect(await load.finish([])).toMatchObject({ connections: 1, lost: 0, duplicated: 0 });
  expect(await lab.settled(1)).toEqual([]);
  await expect(lab.api.call("taskCancel", { params: { task: task.id } })).rejects.toMatchObject({
    code: "TASK_NOT_CANCELLABLE",
  });
});

test("what cannot be is refused before anything is done", async () => {
  const refused = async (promise: Promise<unknown>): Promise<string> => {
    const error = await promise.then(
      () => null,
      (reason: unknown) => reason,
    );
    if (!GodwitError.is(error)) throw new Error("it was not refused");
    expect(error.message).not.toBe("");
    expect(error.remedy).not.toBe("");
    return error.code;
  };
  const migrate = (vm: string, to: string) => lab.api.call("vmMigrate", { params: { vm }, body: { to } });
  expect(await refused(migrate("web-1", "a"))).toBe("VM_ALREADY_THERE");
  expect(await refused(migrate("web-1", "nowhere"))).toBe("HOST_UNKNOWN");
  expect(await refused(migrate("nobody", "b"))).toBe("VM_UNKNOWN");
  expect(await refused(lab.api.call("vmStart", { params: { vm: "web-1" }, body: {} }))).toBe("VM_RUNNING");
  expect(await refused(lab.api.call("vmDelete", { params: { vm: "web-1" } }))).toBe("VM_RUNNING");
  const slow = await lab.api.call("vmMigrate", {
    params: { vm: "web-1" },
    body: { to: "b", bandwidthMbps: 100 },
  });
  expect(await refused(migrate("web-1", "b"))).toBe("VM_BUSY");
  await lab.until(slow.id, inPhase("copying"));
  await lab.api.call("taskCancel", { params: { task: slow.id } });
  await lab.ended(slow);
  const description = { name: "web-1", datastore: "shared", memoryMib: 64 };
  expect(await refused(lab.api.call("vmCreate", { body: { description } }))).toBe("VM_EXISTS");
  const elsewhere = { ...description, name: "web-2", datastore: "attic" };
  expect(await refused(lab.api.call("vmCreate", { body: { description: elsewhere } }))).toBe(
    "DATASTORE_UNKNOWN",
  );
  const offNet = { ...description, name: "web-2", nics: [{ portGroup: "cellar" }] };
  expect(await refused(lab.api.call("vmCreate", { body: { description: offNet } }))).toBe("NETWORK_UNKNOWN");
  const inUse = { ...description, name: "web-2", disks: [{ name: "data", image: "web-1/data.qcow2" }] };
  const task = await lab.ended(lab.api.call("vmCreate", { body: { description: inUse } }));
  expect(task).toMatchObject({ state: "failed", error: { code: "DISK_OF_OTHER_VM" } });
  const [nic] = (await lab.vm("web-1")).config.nics;
  const sameMac = { ...description, name: "web-2", nics: [{ portGroup: "office", mac: nic?.mac }] };
  expect(await refused(lab.api.call("vmCreate", { body: { description: sameMac } }))).toBe("MAC_IN_USE");
  expect((await lab.api.call("vmList", {})).vms.map(({ name }) => name)).toEqual(["web-1"]);
});

test("a VM starts with as many devices as it may have, and not with more memory than its host has", async () => {
  const create = async (description: VmDescriptionInput) => {
    await lab.succeeded(lab.api.call("vmCreate", { body: { description, host: "b" } }));
  };
  const plain = { datastore: "shared", memoryMib: 64 };
  const disks = Array.from({ length: 24 }, (_, index) => ({ name: `d${String(index)}`, sizeMib: 1 }));
  const nics = Array.from({ length: 8 }, () => ({ portGroup: "office" }));
  await create({ ...plain, name: "many-1", disks, nics });
  await lab.succeeded(lab.api.call("vmStart", { params: { vm: "many-1" }, body: {} }));
  expect(await lab.vm("many-1")).toMatchObject({ state: "running", host: "b" });
  await lab.succeeded(lab.api.call("vmStop", { params: { vm: "many-1" }, body: { graceSeconds: 0 } }));

  const { facts } = await lab.api.call("hostShow", { params: { host: "b" } });
  const totalMib = Math.floor((facts?.memory.totalBytes ?? 0) / 1048576);
  await create({ ...plain, name: "large-1", memoryMib: totalMib });
  const started = await lab.ended(lab.api.call("vmStart", { params: { vm: "large-1" }, body: {} }));
  expect(started).toMatchObject({ state: "failed", error: { code: "DESTINATION_MEMORY_SHORT" } });
  for (const vm of ["many-1", "large-1"])
    await lab.succeeded(lab.api.call("vmDelete", { params: { vm }, query: {} }));
});

test("a stopped VM moves to another host, starts there, and stops by its power button", async () => {
  const vm = await lab.create({ name: "cold-1", on: "a", memoryMib: 192 });
  const moved = await lab.succeeded(
    lab.api.call("vmMigrate", { params: { vm: "cold-1" }, body: { to: "b" } }),
  );
  expect(moved.kind).toBe("vm.relocate");
  await lab.succeeded(lab.api.call("vmStart", { params: { vm: "cold-1" }, body: {} }));
  expect(await lab.runnersOf(vm)).toEqual(["b"]);
  await using load = await lab.load(1);
  await load.finish([]);
  await lab.succeeded(lab.api.call("vmStop", { params: { vm: "cold-1" }, body: { graceSeconds: 20 } }));
  expect(await lab.runnersOf(vm)).toEqual([]);
  await lab.succeeded(lab.api.call("vmDelete", { params: { vm: "cold-1" } }));
  await expect(lab.vm("cold-1")).rejects.toMatchObject({ code: "VM_UNKNOWN" });
});
