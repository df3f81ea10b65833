/**
 * What ties a VM to its host: an image on host-local storage in its CD-ROM drive, and CPU affinity. Each is found before a
 * move, can be ended while the guest runs, and then the VM moves.
 */
import { readdir, readFile, readlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { qemuProcessesOf } from "@godwit/lab";
import { run } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { afterAll, beforeAll, expect, test } from "vitest";

let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.start({ hosts: ["a", "b"], localDatastore: true });
  await writeFile(join(lab.lab.host("a").localFolder, "tools.iso"), Buffer.alloc(2048 * 64, "t"));
  await writeFile(join(lab.lab.sharedFolder, "debian.iso"), Buffer.alloc(2048 * 64, "d"));
  await lab.boot({
    on: "a",
    cdroms: [{ name: "cd0", datastore: "local", iso: "tools.iso" }, { name: "cd1" }],
  });
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

const params = { vm: "web-1" };
const set = (body: object) => lab.api.call("vmSet", { params, body });
const check = async (to: string) =>
  (await lab.findings("web-1", to)).map(({ code, severity, object, vsphereFault }) => ({
    code,
    severity,
    object,
    vsphereFault,
  }));
/** All that the check offers to change. */
const fix = async (to: string) => {
  const { fixes = [] } = await lab.api.call("vmCheck", { params, body: { to } });
  expect(fixes).toHaveLength(1);
  for (const { changes } of fixes) await lab.succeeded(set(changes));
};
const move = async (to: string) => {
  await lab.succeeded(lab.api.call("vmMigrate", { params, body: { to } }));
};
const qemu = async () => {
  const [only] = await qemuProcessesOf(lab.lab);
  if (only === undefined) throw new Error("no QEMU runs");
  return only;
};
/** The ISO images that QEMU has open, and those that it could open, by the host's own tables. */
async function images(): Promise<{ open: string[]; visible: string[] }> {
  const { pid } = await qemu();
  const folder = `/proc/${String(pid)}`;
  const links = (await readdir(`${folder}/fd`)).map((fd) => readlink(`${folder}/fd/${fd}`).catch(() => ""));
  const isos = (words: string[]) =>
    [...new Set(words.flatMap((word) => /[^/]+\.iso$/.exec(word) ?? []))].sort();
  const mounts = (await readFile(`${folder}/mountinfo`, "utf8")).split("\n");
  return {
    open: isos(await Promise.all(links)),
    visible: isos(mounts.map((line) => line.split(" ")[4] ?? "")),
  };
}
const allowedCpus = async (): Promise<Set<string>> => {
  const folder = `/proc/${String((await qemu()).pid)}/task`;
  const threads = await readdir(folder);
  const lists = threads.map(async (thread) => {
    const status = await readFile(`${folder}/${thread}/status`, "utf8");
    return /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? "";
  });
  return new Set(await Promise.all(lists));
};

const hostLocal = {
  code: "CDROM_HOST_LOCAL",
  object: "CD-ROM drive cd0",
  vsphereFault: "CannotAccessVmDevice",
};

test("a medium on host-local storage forbids the move until it is disconnected, which the guest need not stop for", async () => {
  expect(await images()).toEqual({ open: ["tools.iso"], visible: ["tools.iso"] });
  expect(await check("b")).toEqual([{ ...hostLocal, severity: "error" }]);
  await expect(lab.api.call("vmMigrate", { params, body: { to: "b" } })).rejects.toMatchObject({
    code: "MOVE_REFUSED",
  });

  await using load = await lab.load();
  await fix("b");
  expect(await images()).toEqual({ open: [], visible: [] });
  expect(await check("b")).toEqual([{ ...hostLocal, severity: "warning" }]);
  await move("b");
  // It would be another host's file of the same name, and there is none.
  const missing = set({ cdrom: { name: "cd0", connected: true } });
  expect(await lab.ended(missing)).toMatchObject({
    state: "failed",
    error: { code: "CDROM_MEDIUM_MISSING" },
  });
  expect((await lab.vm("web-1")).config.cdroms).toMatchObject([{ name: "cd0", connected: false }, {}]);
  expect(await load.finish([])).toMatchObject({ lost: 0, duplicated: 0, reconnects: 0 });
});

test("a medium on shared storage is put in while the guest runs, moves with it, and is there after a restart", async () => {
  const medium = { datastore: "shared", path: "debian.iso" };
  await lab.succeeded(set({ cdrom: { name: "cd1", medium, connected: true } }));
  expect(await images()).toEqual({ open: ["debian.iso"], visible: ["debian.iso"] });
  await lab.succeeded(set({ cdrom: { name: "cd1", medium, connected: true } }));
  expect(await check("a")).toEqual([{ ...hostLocal, severity: "warning" }]);
  await move("a");
  expect(await images()).toEqual({ open: ["debian.iso"], visible: ["debian.iso"] });

  // An agent that starts again can take out what an earlier one has put in.
  await lab.lab.host("a").endAgent();
  await lab.lab.host("a").startAgent();
  const stateOfA = async () => (await lab.api.call("hostShow", { params: { host: "a" } })).state;
  await expect.poll(stateOfA, { timeout: 60_000 }).toBe("connected");
  await lab.succeeded(set({ cdrom: { name: "cd1", connected: false } }));
  expect(await images()).toEqual({ open: [], visible: [] });

  const disk = { datastore: "shared", path: (await lab.vm("web-1")).config.disks[0]?.path ?? "" };
  await run("ln", ["-s", "/etc/shadow", join(lab.lab.sharedFolder, "link.iso")], { what: "making a link" });
  for (const path of ["link.iso", ".godwit-datastore.json"]) {
    const refused = set({ cdrom: { name: "cd1", medium: { ...disk, path }, connected: true } });
    expect(await lab.ended(refused)).toMatchObject({ error: { code: "CDROM_MEDIUM_UNUSABLE" } });
  }
  await expect(set({ cdrom: { name: "cd7", connected: true } })).rejects.toMatchObject({
    code: "CDROM_UNKNOWN",
  });
  expect(await images()).toEqual({ open: [], visible: [] });
});

test("tags and notes are changed while the guest runs, and move and stay with the VM", async () => {
  const notes = "The shop's front end.\nAsk Ada before it is stopped.";
  await lab.succeeded(set({ tags: { add: ["production", "team=web"] }, notes }));
  const kept = { tags: ["production", "team=web"], notes };
  const named = async (tags: string) =>
    (await lab.api.call("vmSummaryList", { query: { limit: 10, tags } })).vms.map(({ name }) => name);
  expect(await named("team=web,production")).toEqual(["web-1"]);
  expect(await named("test")).toEqual([]);
  const file = JSON.parse(await readFile(join(lab.lab.sharedFolder, "web-1", "vm.json"), "utf8")) as object;
  expect(file).toMatchObject({ version: 2, ...kept });
  await move("b");
  await lab.succeeded(set({ tags: { remove: ["production"] } }));
  await move("a");
  await lab.succeeded(lab.api.call("vmStop", { params, body: { graceSeconds: 0 } }));
  expect((await lab.vm("web-1")).config).toMatchObject({ tags: ["team=web"], notes });
  const copy = await lab.api.call("vmClone", { params, body: { name: "web-2" } });
  await lab.succeeded(Promise.resolve(copy));
  expect((await lab.vm("web-2")).config).toMatchObject({ tags: ["team=web"], notes });
  await lab.succeeded(lab.api.call("vmDelete", { params: { vm: "web-2" }, query: { disks: "all" } }));
  await lab.succeeded(lab.api.call("vmStart", { params, body: {} }));
  expect((await lab.vm("web-1")).config).toMatchObject({ tags: ["team=web"], notes });
  // Somebody who began to edit before does not undo what was written since.
  const late = { notes: "mine", memoryMib: 4096, basis: { notes: "as it was long ago", memoryMib: 1 } };
  await expect(set(late)).rejects.toMatchObject({
    code: "VM_CHANGED_MEANWHILE",
    message: expect.stringContaining("memoryMib, notes") as string,
  });
  await lab.succeeded(set({ notes: "Bob's now.", basis: { notes } }));
  expect((await lab.vm("web-1")).config.notes).toBe("Bob's now.");
  await expect(set({ tags: { add: ["no tag"] } })).rejects.toMatchObject({ code: "REQUEST_INVALID" });
  await expect(set({ notes: "\u001b[2J" })).rejects.toMatchObject({ code: "REQUEST_INVALID" });
});

test("CPU affinity holds for every thread of QEMU and forbids the move until it is removed", async () => {
  const [before] = await allowedCpus();
  await lab.succeeded(set({ cpuAffinity: [0] }));
  expect(await allowedCpus()).toEqual(new Set(["0"]));
  expect(await check("b")).toMatchObject([
    { code: "VM_CPU_AFFINITY", severity: "error", vsphereFault: "AffinityConfigured" },
    { ...hostLocal, severity: "warning" },
  ]);
  await lab.succeeded(lab.api.call("vmStop", { params, body: { graceSeconds: 0 } }));
  await lab.succeeded(lab.api.call("vmStart", { params, body: {} }));
  expect(await allowedCpus()).toEqual(new Set(["0"]));
  const absent = await lab.ended(set({ cpuAffinity: [0, 4000] }));
  expect(absent).toMatchObject({ state: "failed", error: { code: "CPU_AFFINITY_UNAVAILABLE" } });
  await fix("b");
  expect(await allowedCpus()).toEqual(new Set([before]));
  expect(await check("b")).toEqual([{ ...hostLocal, severity: "warning" }]);
  await move("b");
});

/** Pages of 2 MiB of this machine, which all hosts of a lab share. */
const pagesFile = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
/** Bytes of a process that are in pages of 2 MiB, by the kernel's own table. */
async function hugeBytes(pid: number): Promise<number> {
  const areas = (await readFile(`/proc/${String(pid)}/smaps`, "utf8")).split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const huge = areas.filter((area) => /^KernelPageSize:\s+2048 kB$/m.test(area));
  return (
    huge.reduce(
      (sum, area) => sum + Number(/^(?:Shared|Private)_Hugetlb:\s+([1-9]\d*) kB$/m.exec(area)?.[1] ?? 0),
      0,
    ) * 1024
  );
}

test("a VM on huge pages starts and moves only where they are free; memory that is bound to a NUMA node stays", async () => {
  const { memoryMib, vcpus } = (await lab.vm("web-1")).config;
  const needed = memoryMib / 2;
  // While a database is made on this machine (initdb), it takes some of those that are free. Fewer than the VM needs.
  const spare = 100;
  expect(spare).toBeLessThan(needed);
  const before = await readFile(pagesFile, "utf8");
  // The kernel sets aside as many as it finds whole just then, and more when it is asked again.
  const setAside = async (pages: number) => {
    const has = async () => {
      await writeFile(pagesFile, String(pages));
      return Number(await readFile(pagesFile, "utf8"));
    };
    await expect.poll(has, { timeout: 60_000 }).toBe(pages);
  };
  const stop = () => lab.succeeded(lab.api.call("vmStop", { params, body: { graceSeconds: 0 } }));
  const start = () => lab.api.call("vmStart", { params, body: {} });
  const own = async (to: string) => (await check(to)).filter(({ code }) => !code.startsWith("CDROM"));
  try {
    await stop();
    await lab.succeeded(set({ hugepages: "2M", numa: [{ vcpus, memoryMib }] }));
    await setAside(0);
    expect(await lab.ended(start())).toMatchObject({ state: "failed", error: { code: "HUGEPAGES_SHORT" } });
    await setAside(needed + spare);
    await lab.succeeded(start());
    expect(await hugeBytes((await qemu()).pid)).toBe(memoryMib * 2 ** 20);
    await expect
      .poll(() => own("a"), { timeout: 60_000 })
      .toMatchObject([{ code: "HUGEPAGES_SHORT", severity: "error" }]);
    await expect(set({ hugepages: null })).rejects.toMatchObject({ code: "VM_RUNNING" });
    await setAside(2 * needed + spare);
    await expect.poll(() => own("a"), { timeout: 60_000 }).toEqual([]);
    await move("a");
    expect(await hugeBytes((await qemu()).pid)).toBe(memoryMib * 2 ** 20);
    await stop();
    expect(await own("b")).toEqual([]);

    const bound = (hostNode: number) => ({ hugepages: null, numa: [{ vcpus, memoryMib, hostNode }] });
    await lab.succeeded(set(bound(1023)));
    expect(await lab.ended(start())).toMatchObject({ error: { code: "NUMA_NODE_UNAVAILABLE" } });
    await lab.succeeded(set(bound(0)));
    await lab.succeeded(start());
    expect(await own("b")).toMatchObject([
      { code: "VM_NUMA_BINDING", severity: "error", vsphereFault: "AffinityConfigured" },
    ]);
  } finally {
    await writeFile(pagesFile, before);
  }
});

test("a device of its host ties a VM to it; it is described where it is, and the start says what it lacks", async () => {
  const { host } = await lab.vm("web-1");
  const start = () => lab.api.call("vmStart", { params, body: {} });
  await lab.succeeded(lab.api.call("vmStop", { params, body: { graceSeconds: 0 } }));
  const { facts } = await lab.api.call("hostShow", { params: { host } });
  const found = facts?.hostDevices?.pci.find(({ driver }) => driver !== "vfio-pci");
  if (found === undefined) throw new Error("this machine has no PCI device that its kernel uses");
  const { address: pci, id } = found;
  await expect(set({ hostDevices: [{ name: "dongle", usb: "ffff:ffff" }] })).rejects.toMatchObject({
    code: "HOST_DEVICE_MISSING",
  });
  await lab.succeeded(set({ numa: null, hostDevices: [{ name: "nic", pci }] }));
  expect((await lab.vm("web-1")).config.hostDevices).toEqual([{ name: "nic", pci, id }]);
  expect(await lab.ended(start())).toMatchObject({
    state: "failed",
    error: { code: "HOST_DEVICE_UNUSABLE" },
  });
  expect((await check("b")).filter(({ code }) => code.startsWith("HOST_DEVICE"))).toMatchObject([
    { code: "HOST_DEVICE_TIED", severity: "warning", vsphereFault: "DisallowedMigrationDeviceAttached" },
  ]);
  await expect(set({ hostDevices: [], basis: { hostDevices: [] } })).rejects.toMatchObject({
    code: "VM_CHANGED_MEANWHILE",
  });
  await lab.succeeded(set({ hostDevices: [] }));
  await lab.succeeded(start());

  // As if it had one while it runs, which needs a machine with one: its memory is not saved, and its guest does not notice.
  const path = join(lab.lab.sharedFolder, "web-1", "vm.json");
  const as = await readFile(path, "utf8");
  const hostDevices = [{ name: "dongle", usb: "0529:0001" }];
  await writeFile(path, JSON.stringify({ ...(JSON.parse(as) as object), version: 2, hostDevices }));
  const unsavable = { state: "failed", error: { code: "HOST_DEVICE_UNSAVABLE" } };
  await using load = await lab.load();
  expect(await lab.ended(lab.api.call("vmSuspend", { params }))).toMatchObject(unsavable);
  const body = { name: "with-memory", memory: true };
  expect(await lab.ended(lab.api.call("vmSnapshotCreate", { params, body }))).toMatchObject(unsavable);
  await writeFile(path, as);
  expect(await load.finish([])).toMatchObject({ lost: 0, duplicated: 0, reconnects: 0 });
  expect((await lab.vm("web-1")).state).toBe("running");
});
