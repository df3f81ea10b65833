/** Images of disks that come to a VM and leave it, on real folders: what a crash leaves is removed, and nothing else is. */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { diskToAddSchema, vmSchema, type Vm } from "@godwit/contract";
import { run, until } from "@godwit/system";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  addDiskImage,
  Datastore,
  diskBytes,
  growDisk,
  markDatastore,
  noteDisk,
  readDiskNote,
  removeDiskImage,
  saveVm,
  settleDiskFile,
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
  disks: [{ name: "root", path: "web-1/root.qcow2", format: "qcow2", taken: false }],
  nics: [],
});
const user = { uid: 65534, gid: 65534 };
const make = { user, host: "a", onCopy: undefined, signal: new AbortController().signal };
const folders: string[] = [];
let [shared, fast] = [] as unknown as [Datastore, Datastore];
let stores: VmDatastores;

beforeEach(async () => {
  const made = async (name: string) => {
    const path = await mkdtemp(join(tmpdir(), "godwit-ds-"));
    folders.push(path);
    await run("chmod", ["755", path], { what: "test" });
    await markDatastore({ name, path, shared: true }, "a");
    return await Datastore.open({ name, path, shared: true }, "a");
  };
  [shared, fast] = [await made("shared"), await made("fast")];
  stores = new VmDatastores(shared, [fast]);
  await mkdir(shared.resolve("web-1"));
  await run("qemu-img", ["create", "-q", "-f", "qcow2", shared.resolve("web-1/root.qcow2"), "8M"], {
    what: "test",
  });
  await saveVm(shared, vm);
});
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

const disk = (more: object) => diskToAddSchema.parse({ name: "data", sizeMib: 16, ...more });

test("a disk's image is its user's alone, and one that no description names goes when what was cut off is ended", async () => {
  const made = await addDiskImage(stores, vm, { ...make, disk: disk({ datastore: "fast" }) });
  const path = fast.resolve("web-1/data.qcow2");
  const { uid, mode } = await stat(path);
  expect([made.datastore, made.taken, uid, mode & 0o777]).toEqual(["fast", false, user.uid, 0o600]);
  const note = await readDiskNote(shared, "web-1");
  expect(note).toMatchObject({ disk: "data", datastore: "fast", path: "web-1/data.qcow2" });
  await writeFile(fast.resolve("web-1/.data.qcow2.copy"), "a part of it");
  if (note !== null) await settleDiskFile(stores, vm, note);
  expect([existsSync(fast.resolve("web-1")), await readDiskNote(shared, "web-1")]).toEqual([false, null]);
});

test("one that the description names stays, and leaves with its folder when it is removed", async () => {
  const made = await addDiskImage(stores, vm, { ...make, disk: disk({ datastore: "fast" }) });
  const after = { ...vm, disks: [...vm.disks, made] };
  const note = await readDiskNote(shared, "web-1");
  if (note !== null) await settleDiskFile(stores, after, note);
  expect([existsSync(fast.resolve(made.path)), await readDiskNote(shared, "web-1")]).toEqual([true, null]);
  const more = await addDiskImage(stores, after, { ...make, disk: disk({ name: "log", datastore: "fast" }) });
  const both = { ...after, disks: [...after.disks, more] };
  await removeDiskImage(stores, { ...both, disks: after.disks }, more);
  expect([existsSync(fast.resolve(more.path)), existsSync(fast.resolve(made.path))]).toEqual([false, true]);
  await removeDiskImage(stores, vm, made);
  expect(existsSync(fast.resolve("web-1"))).toBe(false);
});

test("what fails leaves nothing, and the VM's folder on another datastore its own", async () => {
  const made = await addDiskImage(stores, vm, { ...make, disk: disk({ datastore: "fast" }) });
  const after = { ...vm, disks: [...vm.disks, made] };
  await writeFile(fast.resolve("broken.qcow2"), "QFI\xfb no image");
  const broken = disk({ name: "log", datastore: "fast", image: "broken.qcow2" });
  await expect(addDiskImage(stores, after, { ...make, disk: broken })).rejects.toThrow();
  expect(existsSync(fast.resolve("web-1/log.qcow2"))).toBe(false);
  expect(existsSync(fast.resolve("web-1/.godwit-disks"))).toBe(true);
});

test("a file that is there is not written over, and an image that was kept is the disk again", async () => {
  const path = shared.resolve("web-1/data.qcow2");
  await run("qemu-img", ["create", "-q", "-f", "qcow2", path, "12M"], { what: "test" });
  await expect(addDiskImage(stores, vm, { ...make, disk: disk({}) })).rejects.toMatchObject({
    code: "DISK_EXISTS",
  });
  const kept = diskToAddSchema.parse({ name: "data", image: "web-1/data.qcow2" });
  expect(await addDiskImage(stores, vm, { ...make, disk: kept })).toMatchObject({ taken: true });
  // Nothing of it is noted as one to be removed.
  expect(await readDiskNote(shared, "web-1")).toBeNull();
});

test("a note that somebody else wrote removes nothing outside of the VM's folder", async () => {
  const other = { name: "x", path: "web-2/root.qcow2", format: "qcow2" as const };
  await noteDisk(shared, vm, other);
  expect(await readDiskNote(shared, "web-1")).toBeNull();
  for (const path of ["web-1/vm.json", "web-1/lease-1"]) {
    await noteDisk(shared, vm, { ...other, path });
    expect(await readDiskNote(shared, "web-1")).toBeNull();
  }
});

test("a disk grows, and its image says so", async () => {
  const [root] = vm.disks;
  if (root === undefined) throw new TypeError("no disk");
  await run("chown", ["65534:65534", shared.resolve(root.path)], { what: "test" });
  await growDisk(stores, vm, root, { sizeMib: 24, user });
  expect(await diskBytes(stores, vm, root, user)).toBe(24 * 1048576);
});

test("the copy of an image is ended, and nothing is left of it", async () => {
  const programs = await mkdtemp(join(tmpdir(), "godwit-bin-"));
  folders.push(programs);
  // A copy that never ends by itself.
  await writeFile(
    join(programs, "cp"),
    '#!/bin/sh\nfor target; do :; done\necho part > "$target"\nexec sleep 600\n',
    { mode: 0o755 },
  );
  const image = join(shared.config.path, "image.qcow2");
  await run("qemu-img", ["create", "-q", "-f", "qcow2", image, "8M"], { what: "test" });
  const path = process.env.PATH ?? "";
  process.env.PATH = `${programs}:${path}`;
  try {
    const ended = new AbortController();
    const adding = addDiskImage(stores, vm, {
      ...{ ...make, signal: ended.signal },
      disk: diskToAddSchema.parse({ name: "data", image: "image.qcow2" }),
    });
    const beside = shared.resolve("web-1/.data.qcow2.copy");
    await until(() => (existsSync(beside) ? true : null), { everyMs: 5, limitMs: 60_000 });
    ended.abort(new Error("nobody wants it"));
    await expect(adding).rejects.toThrow("nobody wants it");
    const note = await readDiskNote(shared, "web-1");
    expect(note).toMatchObject({ disk: "data" });
    expect((await readdir(shared.resolve("web-1"))).filter((name) => name.includes("data"))).toEqual([]);
  } finally {
    process.env.PATH = path;
  }
});
