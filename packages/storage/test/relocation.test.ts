/** The files of a disk's move between datastores, on real folders with real images. */
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vmSchema, type Vm } from "@godwit/contract";
import { run } from "@godwit/system";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  beginRelocation,
  copyToTarget,
  Datastore,
  describeAt,
  describedImage,
  endRelocation,
  makeTarget,
  markDatastore,
  readRelocation,
  relocationOf,
  saveVm,
  VmDatastores,
} from "../src/index.ts";

const vm: Vm = vmSchema.parse({
  version: 1,
  id: "22222222-2222-4222-8222-222222222222",
  name: "web-1",
  datastore: "shared",
  memoryMib: 64,
  vcpus: 1,
  cpu: { model: "qemu64-v1" },
  machine: "pc-q35-7.2",
  disks: [{ name: "data", path: "web-1/data.qcow2", format: "qcow2", taken: true }],
  nics: [],
});
const disk = vm.disks[0] as Vm["disks"][number];
const folders: string[] = [];
let [shared, fast] = [] as unknown as [Datastore, Datastore];
let stores: VmDatastores;

beforeEach(async () => {
  const made = async (name: string) => {
    const path = await mkdtemp(join(tmpdir(), "godwit-ds-"));
    folders.push(path);
    await markDatastore({ name, path, shared: true }, "a");
    return await Datastore.open({ name, path, shared: true }, "a");
  };
  [shared, fast] = [await made("shared"), await made("fast")];
  stores = new VmDatastores(shared, [fast]);
  await run("mkdir", [shared.resolve("web-1")], { what: "test" });
  await run("qemu-img", ["create", "-q", "-f", "qcow2", shared.resolve(disk.path), "8M"], { what: "test" });
  await saveVm(shared, vm);
});
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

const nothing = {
  ...{ user: { uid: 0, gid: 0 }, onCopy: () => undefined, signal: new AbortController().signal },
};

test("a copy at rest is the same image, and the end removes the old one and its note", async () => {
  const relocation = relocationOf(vm, disk, "fast");
  await beginRelocation(stores, vm, relocation);
  expect(await readRelocation(shared, "web-1")).toEqual(relocation);
  const before = await readFile(shared.resolve(disk.path));
  await copyToTarget(stores, { vm, relocation }, nothing);
  const after = describeAt(vm, relocation, "target");
  expect(after.disks).toEqual([{ ...disk, datastore: "fast" }]);
  expect(await readFile(fast.resolve("web-1/data.qcow2"))).toEqual(before);
  await endRelocation(stores, after, relocation);
  expect(existsSync(shared.resolve(disk.path))).toBe(false);
  expect(await readRelocation(shared, "web-1")).toBeNull();

  // And back: the folder that was made for it goes, too.
  const [there = disk] = after.disks;
  const back = relocationOf(after, there, "shared");
  await beginRelocation(stores, after, back);
  await copyToTarget(stores, { vm: after, relocation: back }, nothing);
  const home = describeAt(after, back, "target");
  await endRelocation(stores, home, back);
  expect(home).toEqual(vm);
  expect(existsSync(fast.resolve("web-1"))).toBe(false);
});

test("one that is undone leaves nothing at its target; one that was cut off can begin again over what it left", async () => {
  const relocation = relocationOf(vm, disk, "fast");
  await beginRelocation(stores, vm, relocation);
  const user = { uid: 0, gid: 0 };
  await makeTarget(stores, { vm, relocation }, { sizeBytes: 8 << 20, user });
  expect((await stat(fast.resolve("web-1/data.qcow2"))).mode & 0o777).toBe(0o600);
  await beginRelocation(stores, vm, relocation);
  await makeTarget(stores, { vm, relocation }, { sizeBytes: 8 << 20, user });
  await endRelocation(stores, vm, relocation);
  expect(existsSync(fast.resolve("web-1"))).toBe(false);
  expect(existsSync(shared.resolve(disk.path))).toBe(true);
});

test("a file that nobody noted is not overwritten, and its folder not taken", async () => {
  await run("mkdir", [fast.resolve("web-1")], { what: "test" });
  await writeFile(fast.resolve("web-1/data.qcow2"), "somebody's");
  const relocation = relocationOf(vm, disk, "fast");
  await expect(beginRelocation(stores, vm, relocation)).rejects.toMatchObject({ code: "DISK_EXISTS" });
  expect(await readRelocation(shared, "web-1")).toBeNull();
});

test("a note that names what is not the VM's is none, and where vm.json names neither image both stay", async () => {
  const note = shared.resolve("web-1/.godwit-relocation");
  const place = { datastore: "fast", path: "web-2/data.qcow2" };
  for (const to of [place, { ...place, path: "web-1/../web-2/data.qcow2" }, { ...place, path: "web-1/.x" }]) {
    await writeFile(note, JSON.stringify({ ...relocationOf(vm, disk, "fast"), to }));
    expect(await readRelocation(shared, "web-1")).toBeNull();
  }
  await writeFile(note, "{");
  expect(await readRelocation(shared, "web-1")).toBeNull();

  const relocation = relocationOf(vm, disk, "fast");
  await beginRelocation(stores, vm, relocation);
  await copyToTarget(stores, { vm, relocation }, nothing);
  await endRelocation(stores, { ...vm, disks: [{ ...disk, path: "web-1/other.qcow2" }] }, relocation);
  expect([existsSync(shared.resolve(disk.path)), existsSync(fast.resolve("web-1/data.qcow2"))]).toEqual([
    true,
    true,
  ]);
});

test("a VM without room at the target is refused before anything is noted", async () => {
  vi.spyOn(fast, "space").mockResolvedValue({ totalBytes: 1, freeBytes: 1 });
  const relocation = relocationOf(vm, disk, "fast");
  await expect(beginRelocation(stores, vm, relocation)).rejects.toMatchObject({ code: "SPACE_SHORT" });
  expect(await readRelocation(shared, "web-1")).toBeNull();
});

test("a description tells at which of the two places the disk is, wherever it has been moved", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom("shared", "fast", "third"), { maxLength: 6 }),
      fc.constantFrom("source", "target"),
      (places, image) => {
        let now = vm;
        for (const to of places) {
          const [one = disk] = now.disks;
          if ((one.datastore ?? now.datastore) === to) continue;
          const relocation = relocationOf(now, one, to);
          expect(describedImage(now, relocation)).toBe("source");
          const after = describeAt(now, relocation, image);
          expect(describedImage(after, relocation)).toBe(image);
          expect(describeAt(after, relocation, "source")).toEqual(now);
          now = after;
        }
      },
    ),
  );
});
