/** Linked disks on a real folder with real images: what is shared, what is not, and what is left wherever the making of a base is cut off. */
import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  diskToAddSchema,
  vmDescriptionSchema,
  type TaskId,
  type Vm,
  type VmDescription,
  type VmDescriptionInput,
  type VmId,
} from "@godwit/contract";
import { userIds } from "@godwit/system";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cloneDescription } from "../src/clone-description.ts";
import {
  describedAs,
  freezeDisk,
  freezingOf,
  freezingSteps,
  readFreezing,
  settleFreezing,
} from "../src/disk-freezing.ts";
import { growDisk } from "../src/disk-change.ts";
import { namedBacking } from "../src/image-header.ts";
import {
  addDiskImage,
  applyTag,
  beginRelocation,
  checkOpens,
  checkOwnFiles,
  copyToTarget,
  createVm,
  Datastore,
  deleteVm,
  describeAt,
  endRelocation,
  giveDisks,
  inspectDisks,
  markDatastore,
  noteDisk,
  readDiskNote,
  readVm,
  relocationOf,
  removeDiskImage,
  removeTag,
  saveVm,
  settleDiskFile,
  tagDisks,
  VmDatastores,
  writeOva,
} from "../src/index.ts";

const owner = "nobody";
const library = "images/debian.0a1b2c3d.qcow2";
let folder: string;
let datastore: Datastore;
let stores: VmDatastores;
let ids = 0;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-ds-"));
  await chmod(folder, 0o755);
  await markDatastore({ name: "shared", path: folder, shared: true }, "a");
  datastore = await Datastore.open({ name: "shared", path: folder, shared: true }, "a");
  stores = new VmDatastores(datastore);
  await mkdir(join(folder, "images"), { mode: 0o755 });
  qemuImg("create", "-q", "-f", "qcow2", library, "4M");
  write(library, 1, "0 1M");
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const qemuImg = (...args: string[]) =>
  execFileSync("qemu-img", args, { cwd: folder, encoding: "utf8", stdio: "pipe" });
const write = (path: string, byte: number, range: string) =>
  execFileSync("qemu-io", ["-c", `write -q -P ${String(byte)} ${range}`, path], {
    cwd: folder,
    stdio: "pipe",
  });
/** As the header says, which QEMU under Godwit does not follow. */
const reads = (path: string, byte: number, range: string) => {
  const out = execFileSync("qemu-io", ["-r", "-f", "qcow2", "-c", `read -P ${String(byte)} ${range}`, path], {
    ...{ cwd: folder, encoding: "utf8", stdio: "pipe" },
  });
  expect({ path, out }).toMatchObject({ out: expect.not.stringContaining("verification failed") as string });
};
const info = (path: string) => JSON.parse(qemuImg("info", "--output=json", path)) as Record<string, unknown>;
const links = async (path: string) => (await stat(join(folder, path))).nlink;
const nextId = () => `22222222-2222-4222-8222-${String(++ids).padStart(12, "0")}` as VmId;

const make = async (description: VmDescription, imagesOf?: Vm) =>
  await createVm(stores, {
    ...{ id: nextId(), description, owner, host: "a", imagesOf },
    defaults: { machine: "pc-q35-7.2", cpu: { model: "qemu64-v1", add: [], remove: [] }, macs: [] },
  });
const create = async (name: string, disk: Omit<VmDescriptionInput["disks"] & object, never>[number]) =>
  await make(vmDescriptionSchema.parse({ name, datastore: "shared", memoryMib: 64, disks: [disk] }));
const linked = async (name: string, more = {}) =>
  await create(name, { name: "root", image: library, linked: true, ...more });
const clone = async (vm: Vm, name: string, isLinked = true) =>
  await make(cloneDescription(vm, { name, datastore: null, volumeGroups: new Set(), linked: isLinked }), vm);
const freeze = async (vm: Vm, beforeStep?: (step: string) => void) => {
  const [disk] = vm.disks;
  if (disk === undefined) throw new Error("no disk");
  const more = beforeStep === undefined ? {} : { beforeStep };
  return await freezeDisk(stores, vm, { disk, user: await userIds(owner), ...more });
};
/** What is looked at before QEMU opens it. */
const check = async (vm: Vm) => {
  const user = await userIds(owner);
  await checkOwnFiles(stores, vm, "a");
  await giveDisks(stores, vm, user);
  await checkOpens(stores, vm, { host: "a", user });
  await inspectDisks(stores, vm, user);
};
const pathOf = (vm: Vm) => vm.disks[0]?.path ?? "";

test("a VM that is linked to an image of the library reads it, writes beside it, and outlives its deletion", async () => {
  const [one, two] = [await linked("web-1"), await linked("web-2", { sizeMib: 8 })];
  expect(one).toMatchObject({
    version: 2,
    disks: [
      {
        ...{ name: "root", path: "web-1/root.qcow2", format: "qcow2", taken: false },
        base: { path: "web-1/root.base.qcow2", format: "qcow2" },
      },
    ],
  });
  expect(await readVm(datastore, "web-1")).toEqual(one);
  expect([info(pathOf(one))["virtual-size"], info(pathOf(two))["virtual-size"]]).toEqual([4 << 20, 8 << 20]);
  expect(info(pathOf(one))).toMatchObject({
    ...{ "backing-filename": "root.base.qcow2", "backing-filename-format": "qcow2" },
  });
  const base = await stat(join(folder, "web-1/root.base.qcow2"));
  expect([base.nlink, base.mode & 0o7777, base.uid]).toEqual([3, 0o444, 0]);

  write(pathOf(one), 5, "64k 64k");
  await rm(join(folder, library));
  for (const vm of [one, two]) await check(vm);
  reads(pathOf(one), 5, "64k 64k");
  reads(pathOf(one), 1, "0 64k");
  reads(pathOf(two), 1, "0 1M");
  reads(pathOf(two), 0, "4M 4M");

  await deleteVm(stores, "web-1");
  expect(await readdir(folder)).not.toContain("web-1");
  expect(await links("web-2/root.base.qcow2")).toBe(1);
  await check(two);
});

test("what cannot be linked is refused by name, and nothing is left of the VM", async () => {
  qemuImg("convert", "-O", "vmdk", library, "images/other.0a1b2c3d.vmdk");
  qemuImg("create", "-q", "-f", "qcow2", "own.qcow2", "4M");
  const refused = (reason: string) => ({ code: "DISK_NOT_LINKABLE", details: { reason } });
  const made = async (more: object) =>
    await linked("web-1", more).catch((error: unknown) => (error as { problem: object }).problem);
  expect(await made({ image: "images/other.0a1b2c3d.vmdk", imageFormat: "vmdk" })).toMatchObject(
    refused("format"),
  );
  expect(await made({ image: "own.qcow2" })).toMatchObject(refused("file"));
  const other = await mkdtemp(join(tmpdir(), "godwit-ds-"));
  await markDatastore({ name: "fast", path: other, shared: true }, "a");
  stores = new VmDatastores(datastore, [
    await Datastore.open({ name: "fast", path: other, shared: true }, "a"),
  ]);
  await mkdir(join(other, "images"));
  execFileSync("cp", [join(folder, library), join(other, "images")]);
  expect(await made({ imageDatastore: "fast" })).toMatchObject(refused("elsewhere"));
  await rm(other, { recursive: true });
  stores = new VmDatastores(datastore);
  expect(await made({ sizeMib: 1 })).toMatchObject({ code: "IMAGE_LARGER" });
  qemuImg(
    "create",
    "-q",
    "-f",
    "qcow2",
    "-u",
    "-b",
    "/etc/passwd",
    "-F",
    "raw",
    "images/evil.0a1b2c3d.qcow2",
    "1M",
  );
  expect(await made({ image: "images/evil.0a1b2c3d.qcow2" })).toMatchObject({
    code: "IMAGE_REFERS_ELSEWHERE",
  });
  expect((await readdir(folder)).sort()).toEqual([".godwit-datastore.json", "images", "own.qcow2"]);
});

test("what was cut off is made again, and what fails in the end leaves nothing but files of others", async () => {
  const id = "22222222-2222-4222-8222-999999999999" as VmId;
  const attempt = async (sizeMib?: number) =>
    await createVm(stores, {
      ...{ id, owner, host: "a" },
      description: vmDescriptionSchema.parse({
        ...{ name: "web-9", datastore: "shared", memoryMib: 64 },
        disks: [{ name: "root", image: library, linked: true, sizeMib }],
      }),
      defaults: { machine: "pc-q35-7.2", cpu: { model: "qemu64-v1", add: [], remove: [] }, macs: [] },
    });
  const cutOff = async () => {
    await mkdir(join(folder, "web-9"), { recursive: true });
    await writeFile(join(folder, "web-9/.godwit-creating"), `${id}\n`);
    execFileSync("ln", ["-f", library, "web-9/root.base.qcow2"], { cwd: folder });
    await writeFile(join(folder, "web-9/root.qcow2"), "half");
  };
  await cutOff();
  await expect(attempt(1)).rejects.toMatchObject({ code: "IMAGE_LARGER" });
  expect(await readdir(join(folder, "web-9"))).toEqual([]);
  await cutOff();
  const vm = await attempt();
  await check(vm);
  reads(pathOf(vm), 1, "0 1M");
  expect((await readdir(join(folder, "web-9"))).sort()).toEqual(["root.base.qcow2", "root.qcow2", "vm.json"]);

  // A base that somebody has kept is nobody's to remove.
  await mkdir(join(folder, "web-8"));
  await writeFile(join(folder, "web-8/root.base.qcow2"), "kept");
  await expect(linked("web-8")).rejects.toMatchObject({ code: "DISK_EXISTS" });
  expect(await readdir(join(folder, "web-8"))).toEqual(["root.base.qcow2"]);
});

test("a linked disk that is added and removed takes its base along, and no other's", async () => {
  const vm = await linked("web-1");
  const user = await userIds(owner);
  const more = diskToAddSchema.parse({ name: "more", image: library, linked: true });
  const { signal } = new AbortController();
  const options = { user, host: "a", onCopy: () => undefined, signal };
  const made = await addDiskImage(stores, vm, { disk: more, ...options });
  expect(made.base).toEqual({ path: "web-1/more.base.qcow2", format: "qcow2" });
  const after = { ...vm, disks: [...vm.disks, made] };
  await saveVm(datastore, after);
  await check(after);
  await noteDisk(datastore, after, made);
  await saveVm(datastore, vm);
  await removeDiskImage(stores, vm, made);
  expect((await readdir(join(folder, "web-1"))).sort()).toEqual(["root.base.qcow2", "root.qcow2", "vm.json"]);

  // One of the same name whose files were kept.
  await writeFile(join(folder, "web-1/more.base.qcow2"), "kept");
  await expect(addDiskImage(stores, vm, { disk: more, ...options })).rejects.toMatchObject({
    code: "DISK_EXISTS",
  });
  const plain = diskToAddSchema.parse({ name: "more", sizeMib: 1 });
  await addDiskImage(stores, vm, { disk: plain, ...options });
  const note = await readDiskNote(datastore, "web-1");
  if (note === null) throw new Error("no note");
  await settleDiskFile(stores, vm, note);
  expect(await readdir(join(folder, "web-1"))).toContain("more.base.qcow2");
  expect(await readdir(join(folder, "web-1"))).not.toContain("more.qcow2");
});

test("a raw image of the library is a base too, and one that looks like another format is refused", async () => {
  qemuImg("convert", "-O", "raw", library, "images/plain.0a1b2c3d.raw");
  const vm = await linked("web-1", { image: "images/plain.0a1b2c3d.raw", imageFormat: "raw" });
  expect(vm.disks).toMatchObject([{ base: { path: "web-1/root.base.raw", format: "raw" } }]);
  await check(vm);
  reads(pathOf(vm), 1, "0 1M");
  await rename(join(folder, library), join(folder, "images/feigned.0a1b2c3d.raw"));
  await expect(
    linked("web-2", { image: "images/feigned.0a1b2c3d.raw", imageFormat: "raw" }),
  ).rejects.toMatchObject({ code: "IMAGE_FORMAT_DIFFERS" });
});

test("a linked copy shares what both have in common; each sees its own writes, and either may be deleted", async () => {
  const parent = await freeze(await create("web-1", { name: "root", image: library }));
  expect(parent.disks).toMatchObject([
    { path: "web-1/root.linked.qcow2", base: { path: "web-1/root.base.qcow2" } },
  ]);
  expect((await readdir(join(folder, "web-1"))).sort()).toEqual([
    "root.base.qcow2",
    "root.linked.qcow2",
    "vm.json",
  ]);
  write(pathOf(parent), 6, "1M 64k");
  const copy = await clone(parent, "web-2");
  expect(await links("web-2/root.base.qcow2")).toBe(2);
  write(pathOf(parent), 7, "0 64k");
  write(pathOf(copy), 8, "0 64k");
  for (const vm of [parent, copy]) await check(vm);
  reads(pathOf(parent), 7, "0 64k");
  reads(pathOf(copy), 8, "0 64k");
  for (const vm of [parent, copy]) {
    reads(pathOf(vm), 1, "64k 960k");
    reads(pathOf(vm), 6, "1M 64k");
  }
  // A copy of the copy is as deep: each disk has one base.
  const third = await clone(copy, "web-3");
  await deleteVm(stores, "web-1", "all");
  await deleteVm(stores, "web-2", "all");
  expect(await links("web-3/root.base.qcow2")).toBe(1);
  await check(third);
  reads(pathOf(third), 8, "0 64k");
  reads(pathOf(third), 6, "1M 64k");
});

test("a raw disk becomes a raw base, and its size stays", async () => {
  const vm = await create("web-1", { name: "root", sizeMib: 3, format: "raw" });
  execFileSync("qemu-io", ["-f", "raw", "-c", "write -q -P 9 0 64k", pathOf(vm)], { cwd: folder });
  const after = await freeze(vm);
  expect(after.disks).toMatchObject([
    { path: "web-1/root.qcow2", format: "qcow2", base: { path: "web-1/root.base.raw", format: "raw" } },
  ]);
  await check(after);
  expect(info(pathOf(after))["virtual-size"]).toBe(3 << 20);
  reads(pathOf(after), 9, "0 64k");
});

test("wherever the making of a base is cut off, what vm.json says is whole, and whoever comes next ends it", async () => {
  for (const step of freezingSteps) {
    const name = `web-${step}`;
    const vm = await create(name, { name: "root", image: library });
    await expect(
      freeze(vm, (next) => {
        if (next === step) throw new Error("cut off");
      }),
    ).rejects.toThrow("cut off");

    const left = await readVm(datastore, name);
    const isDescribed = freezingSteps.indexOf(step) > freezingSteps.indexOf("describe");
    const [disk] = vm.disks;
    expect({ step, described: describedAs(left, freezingOf(vm, disk as Vm["disks"][number])) }).toEqual({
      ...{ step, described: isDescribed ? "frozen" : "image" },
    });
    // Also where nobody ends it: its QEMU finds all that it was.
    await check(left);
    reads(pathOf(left), 1, "0 1M");
    write(pathOf(left), 4, "2M 64k");

    const note = await readFreezing(datastore, name);
    expect(note === null).toBe(step === "note");
    for (let again = 0; again < 2 && note !== null; again++) {
      await settleFreezing(stores, left, note);
      const files = isDescribed ? ["root.base.qcow2", "root.linked.qcow2"] : ["root.qcow2"];
      expect({ step, files: (await readdir(join(folder, name))).sort() }).toEqual({
        step,
        files: [...files, "vm.json"],
      });
    }
    expect(await readFreezing(datastore, name)).toBeNull();
    expect(await readVm(datastore, name)).toEqual(left);
    const after = isDescribed ? left : await freeze(left);
    await check(after);
    reads(pathOf(after), 4, "2M 64k");
    reads(pathOf(after), 1, "0 1M");
    expect((await stat(join(folder, `${name}/root.base.qcow2`))).mode & 0o7777).toBe(0o444);
  }
});

test("files that others have put under the names are not taken for Godwit's own", async () => {
  const vm = await create("web-1", { name: "root", image: library });
  for (const name of ["root.linked.qcow2", "root.base.qcow2"]) {
    await writeFile(join(folder, "web-1", name), "somebody's");
    await expect(freeze(vm)).rejects.toMatchObject({ code: "DISK_EXISTS" });
    await rm(join(folder, "web-1", name));
  }
  execFileSync("ln", ["web-1/root.qcow2", "second.qcow2"], { cwd: folder });
  await expect(freeze(vm)).rejects.toMatchObject({ code: "DISK_NOT_LINKABLE" });
  // What linked disks may read under another name is not taken over either.
  await expect(create("web-2", { name: "root", image: "second.qcow2", take: true })).rejects.toMatchObject({
    code: "DISK_NOT_OWN",
  });
  await rm(join(folder, "second.qcow2"));

  await freeze(vm, (step) => {
    if (step === "create") throw new Error("cut off");
  }).catch(() => undefined);
  await rm(join(folder, "web-1/root.base.qcow2"));
  await writeFile(join(folder, "web-1/root.base.qcow2"), "somebody's");
  const note = await readFreezing(datastore, "web-1");
  if (note === null) throw new Error("no note");
  await settleFreezing(stores, vm, note);
  expect(await readdir(join(folder, "web-1"))).toContain("root.base.qcow2");
});

test("a disk with snapshots in its image gets no base", async () => {
  const vm = await create("web-1", { name: "root", image: library });
  const { version: _version, id: _id, name: _name, datastore: _datastore, ...then } = vm;
  const snapshot = {
    ...{ id: "33333333-3333-4333-8333-333333333333", name: "before", parent: null, memory: null, vm: then },
    createdAt: "2026-01-01T00:00:00.000Z",
  };
  await expect(freeze({ ...vm, snapshots: [snapshot] })).rejects.toMatchObject({
    ...{ code: "DISK_NOT_LINKABLE", message: expect.stringContaining("before") as string },
  });
});

test("what an image names and what describes it must be the same, whoever wrote them", async () => {
  const vm = await linked("web-1");
  const overlay = (...backing: string[]) =>
    qemuImg("create", "-q", "-f", "qcow2", "-u", ...backing, "web-1/root.qcow2", "4M");
  const differs = { code: "IMAGE_BASE_DIFFERS" };
  await check(vm);
  overlay("-b", "/etc/passwd", "-F", "qcow2");
  await expect(check(vm)).rejects.toMatchObject({
    ...differs,
    message: expect.stringContaining("/etc/passwd") as string,
  });
  overlay("-b", "root.base.qcow2", "-F", "raw");
  await expect(check(vm)).rejects.toMatchObject(differs);
  overlay("-b", join(folder, "web-1/root.base.qcow2"), "-F", "qcow2");
  await expect(check(vm)).rejects.toMatchObject(differs);
  overlay("-b", 'json:{"driver":"nbd"}', "-F", "qcow2");
  await expect(check(vm)).rejects.toMatchObject(differs);
  qemuImg("create", "-q", "-f", "qcow2", "web-1/root.qcow2", "4M");
  await expect(check(vm)).rejects.toMatchObject({
    ...differs,
    message: expect.stringContaining("names none") as string,
  });
  overlay("-b", "root.base.qcow2", "-F", "qcow2");
  await check(vm);
  // The image of an older program's VM, or of one whose description was changed by hand.
  const [disk] = vm.disks;
  const { base: _, ...rest } = disk as Vm["disks"][number];
  await expect(check({ ...vm, disks: [rest] })).rejects.toMatchObject({ code: "IMAGE_REFERS_ELSEWHERE" });
});

test("a base is a file in the VM's folder, complete in itself, and no disk's own image", async () => {
  const vm = await linked("web-1");
  const [disk] = vm.disks as [Vm["disks"][number]];
  const base = join(folder, "web-1/root.base.qcow2");
  const described = async (change: Partial<Vm["disks"][number]>) => {
    await checkOwnFiles(stores, { ...vm, disks: [{ ...disk, ...change }] }, "a");
  };
  const invalid = { code: "VM_DESCRIPTION_INVALID" };
  for (const path of ["web-2/root.base.qcow2", "web-1/other.base.qcow2", library, "web-1/vm.json"])
    await expect(described({ base: { path, format: "qcow2" } })).rejects.toMatchObject(invalid);
  await expect(described({ base: { path: "web-1/root.base.qcow2", format: "raw" } })).rejects.toMatchObject(
    invalid,
  );
  await expect(described({ path: "web-1/root.base.qcow2" })).rejects.toMatchObject(invalid);

  await rm(base);
  await expect(check(vm)).rejects.toMatchObject({ code: "DISK_MISSING" });
  await symlink("/etc/passwd", base);
  await expect(check(vm)).rejects.toMatchObject({ code: "DISK_NOT_OWN" });
  await rm(base);
  qemuImg("create", "-q", "-f", "qcow2", "-u", "-b", "/etc/passwd", "-F", "raw", base, "4M");
  await expect(check(vm)).rejects.toMatchObject({ code: "IMAGE_REFERS_ELSEWHERE" });
  await rm(base);
  // Under a name that a disk's own image could have, it is not opened for writing.
  execFileSync("ln", [library, "web-1/data.qcow2"], { cwd: folder });
  const { base: _, ...data } = { ...disk, name: "data", path: "web-1/data.qcow2" };
  await expect(checkOwnFiles(stores, { ...vm, disks: [data] }, "a")).rejects.toMatchObject({
    code: "DISK_NOT_OWN",
  });
});

test("snapshots lie in a linked disk's image, it grows, and what its header names stays", async () => {
  const vm = await linked("web-1");
  const id = "33333333-3333-4333-8333-333333333333";
  write(pathOf(vm), 5, "0 64k");
  await tagDisks(stores, vm, id);
  write(pathOf(vm), 6, "0 128k");
  await check(vm);
  await applyTag(stores, vm, id);
  reads(pathOf(vm), 5, "0 64k");
  reads(pathOf(vm), 1, "64k 64k");
  await removeTag(stores, vm, id);
  const user = await userIds(owner);
  await giveDisks(stores, vm, user);
  await growDisk(stores, vm, vm.disks[0] as Vm["disks"][number], { sizeMib: 16, user });
  await check(vm);
  reads(pathOf(vm), 0, "4M 12M");
  reads(pathOf(vm), 1, "64k 960k");
});

test("a copy in full, and one on another datastore, are complete in themselves, and the base's link goes with the old image", async () => {
  const vm = await linked("web-1");
  write(pathOf(vm), 5, "2M 64k");
  const whole = await clone(vm, "web-2", false);
  expect(whole.disks).toEqual([{ name: "root", path: "web-2/root.qcow2", format: "qcow2", taken: false }]);
  expect(info(pathOf(whole))).not.toHaveProperty("backing-filename");
  await check(whole);
  reads(pathOf(whole), 1, "0 1M");
  reads(pathOf(whole), 5, "2M 64k");

  const fast = await mkdtemp(join(tmpdir(), "godwit-ds-"));
  try {
    await chmod(fast, 0o755);
    await markDatastore({ name: "fast", path: fast, shared: true }, "a");
    const both = new VmDatastores(datastore, [
      await Datastore.open({ name: "fast", path: fast, shared: true }, "a"),
    ]);
    const [disk] = vm.disks as [Vm["disks"][number]];
    const relocation = relocationOf(vm, disk, "fast");
    expect(describeAt(describeAt(vm, relocation, "target"), relocation, "source").disks).toEqual(vm.disks);
    await beginRelocation(both, vm, relocation);
    await copyToTarget(
      both,
      { vm, relocation },
      { user: await userIds(owner), onCopy: () => undefined, signal: new AbortController().signal },
    );
    const after = describeAt(vm, relocation, "target");
    await saveVm(datastore, after);
    await endRelocation(both, after, relocation);
    expect(after.disks).toEqual([
      { name: "root", datastore: "fast", path: "web-1/root.qcow2", format: "qcow2", taken: false },
    ]);
    expect(await readdir(join(folder, "web-1"))).toEqual(["vm.json"]);
    expect(await links(library)).toBe(1);
    const there = join(fast, "web-1/root.qcow2");
    reads(there, 1, "0 1M");
    reads(there, 5, "2M 64k");
    await inspectDisks(both, after, await userIds(owner));
  } finally {
    await rm(fast, { recursive: true, force: true });
  }
});

test("an export carries all that a linked disk holds", async () => {
  const vm = await linked("web-1");
  write(pathOf(vm), 5, "2M 64k");
  const place = { datastore: "shared", path: "web.ova" };
  await writeOva({
    ...{ id: "44444444-4444-4444-8444-444444444444" as TaskId, vm, stores, to: datastore, place },
    ...{ user: await userIds(owner), onCopy: () => undefined },
  });
  execFileSync("tar", ["xf", "web.ova"], { cwd: folder });
  qemuImg("convert", "-f", "vmdk", "-O", "qcow2", "web-1-root.vmdk", "seen.qcow2");
  reads("seen.qcow2", 1, "0 1M");
  reads("seen.qcow2", 5, "2M 64k");
  reads("seen.qcow2", 0, "3M 1M");
});

test("any bytes are read as a header", () => {
  for (let length = 0; length < 300; length++) {
    const bytes = Buffer.alloc(length, 0xff);
    bytes.write("QFI\xfb\0\0\0\x03", "latin1");
    expect(namedBacking(bytes)).toBeNull();
    bytes.fill(0, 8);
    expect(namedBacking(bytes)).toBeNull();
  }
});
