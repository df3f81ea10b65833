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
  (await lab.api.call("vmCheck", { params, body: { to } })).findings.map(
    ({ code, severity, object, vsphereFault }) => ({ code, severity, object, vsphereFault }),
  );
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
  await expect.poll(stateOfA, { timeout: 30_000 }).toBe("connected");
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
