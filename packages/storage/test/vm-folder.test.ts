/** VM folders on a real folder with real images. */
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vmDescriptionSchema, type VmDescriptionInput, type VmId } from "@godwit/contract";
import { run } from "@godwit/system";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  checkMedium,
  checkNvramSize,
  checkOwnFiles,
  createVm,
  Datastore,
  deleteVm,
  markDatastore,
  readVm,
  VmDatastores,
} from "../src/index.ts";

let folder: string;
let datastore: Datastore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-ds-"));
  await chmod(folder, 0o755); // QEMU's user can get in
  await markDatastore({ name: "shared", path: folder, shared: true }, "a");
  datastore = await Datastore.open({ name: "shared", path: folder, shared: true }, "a");
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const id = "22222222-2222-4222-8222-222222222222" as VmId;
const create = async (description: Partial<VmDescriptionInput>, vmId = id) =>
  await createVm(new VmDatastores(datastore), {
    id: vmId,
    description: vmDescriptionSchema.parse({
      name: "web-1",
      datastore: "shared",
      memoryMib: 64,
      ...description,
    }),
    defaults: {
      machine: "pc-q35-7.2",
      cpu: { model: "qemu64-v1", add: [], remove: [] },
      macs: ["52:54:00:00:00:01"],
    },
    owner: "nobody",
    host: "a",
  });

test("UEFI variables are a file of the VM's own, made once, closed to others, and no link is followed", async () => {
  const template = join(folder, "template.fd");
  await writeFile(template, Buffer.alloc(4096, 7));
  const made = await createVm(new VmDatastores(datastore), {
    ...{ id, owner: "nobody", host: "a", nvramTemplate: template },
    description: vmDescriptionSchema.parse({
      name: "web-1",
      datastore: "shared",
      memoryMib: 64,
      firmware: "uefi",
    }),
    defaults: { machine: "pc-q35-7.2", cpu: { model: "qemu64-v1", add: [], remove: [] }, macs: [] },
  });
  expect(made).toMatchObject({ version: 2, firmware: { type: "uefi", secureBoot: false } });
  const path = join(folder, "web-1/nvram.fd");
  const size = (bytes: number) =>
    checkNvramSize(datastore, "web-1", { type: "uefi", secureBoot: false }, bytes);
  expect(await size(4096)).toBe(path);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await expect(size(8192)).rejects.toMatchObject({ code: "NVRAM_UNUSABLE" });
  await rm(path);
  await symlink(template, path);
  await expect(size(4096)).rejects.toMatchObject({ code: "NVRAM_UNUSABLE" });
  await rm(path);
  // A start looks at this first: what is lost is told with the file that it can be replaced by.
  await expect(checkOwnFiles(new VmDatastores(datastore), made, "a")).rejects.toThrow(
    /nvram\.fd.*is not there/,
  );
  await writeFile(path, Buffer.alloc(4096));
  await deleteVm(new VmDatastores(datastore), "web-1");
  expect(existsSync(join(folder, "web-1"))).toBe(false);
});

test("the memory of a suspended VM goes with it, also what of it was not completed", async () => {
  await create({});
  for (const name of [".suspended-memory", ".suspended-memory.new"])
    await writeFile(join(folder, "web-1", name), "memory");
  await deleteVm(new VmDatastores(datastore), "web-1");
  expect(existsSync(join(folder, "web-1"))).toBe(false);
});

test("a TPM's state is a folder of the VM's own, which goes with it; what is not the TPM's stays, and no drive has it", async () => {
  const stores = new VmDatastores(datastore);
  const path = join(folder, "web-1/tpm");
  const files = [".lock", "tpm2-00.permall", "TMP2-00.permall", "tpm2-00.volatilestate"];
  expect(await create({ tpm: true })).toMatchObject({ version: 2, tpm: true });
  expect((await stat(path)).mode & 0o777).toBe(0o700);
  for (const name of files) await writeFile(join(path, name), "");
  const { uid, gid } = { uid: 0, gid: 0 };
  const medium = {
    vm: "web-1",
    drive: "cd0",
    path: "web-1/tpm/tpm2-00.permall",
    host: "a",
    user: { uid, gid },
  };
  await expect(checkMedium(datastore, medium)).rejects.toMatchObject({ code: "CDROM_MEDIUM_UNUSABLE" });
  await deleteVm(stores, "web-1");
  expect(existsSync(join(folder, "web-1"))).toBe(false);

  await create({});
  await mkdir(path);
  for (const name of [...files, "of-a-person"]) await writeFile(join(path, name), "");
  await mkdir(join(path, "tpm2-00.folder"));
  await deleteVm(stores, "web-1");
  expect(await readdir(path)).toEqual(["of-a-person", "tpm2-00.folder"]);
});

test("an unmarked folder is no datastore; marked by two hosts at once, both read the same identity", async () => {
  const fresh = await mkdtemp(join(tmpdir(), "godwit-ds-"));
  const config = { name: "shared", path: fresh, shared: true };
  const hosts = ["a", "b", "c", "d"];
  await expect(Datastore.open(config, "a")).rejects.toMatchObject({ code: "DATASTORE_NOT_MARKED" });
  expect(await readdir(fresh)).toEqual([]);
  await Promise.all(hosts.map((host) => markDatastore(config, host)));
  const opened = await Promise.all(hosts.map((host) => Datastore.open(config, host)));
  expect(new Set(opened.map((one) => one.id)).size).toBe(1);
  expect(await markDatastore(config, "a")).toBe(false);
  await rm(fresh, { recursive: true });
  await expect(Datastore.open(config, "a")).rejects.toMatchObject({ code: "DATASTORE_UNAVAILABLE" });
});

test("a VM is made with nothing left open, read back, made again by the same request, and deleted", async () => {
  await run("qemu-img", ["create", "-q", "-f", "qcow2", join(folder, "golden.qcow2"), "8M"], {
    what: "test",
  });
  const disks = [
    { name: "root", image: "golden.qcow2" },
    { name: "data", sizeMib: 8 },
  ];
  const vm = await create({ disks, nics: [{ portGroup: "office" }] });
  expect(vm).toMatchObject({ machine: "pc-q35-7.2", nics: [{ mac: "52:54:00:00:00:01" }] });
  expect(existsSync(join(folder, "golden.qcow2"))).toBe(true); // copied
  expect(await readVm(datastore, "web-1")).toEqual(vm);
  expect(await create({ disks })).toEqual(vm);
  await expect(create({}, "55555555-5555-4555-8555-555555555555" as VmId)).rejects.toMatchObject({
    code: "VM_EXISTS",
  });
  await deleteVm(new VmDatastores(datastore), "web-1");
  expect(existsSync(join(folder, "web-1"))).toBe(false);
});

test("a copied image grows to the size that is asked for, and is never cut off", async () => {
  const image = async (name: string, format: string) =>
    await run("qemu-img", ["create", "-q", "-f", format, join(folder, name), "8M"], { what: "test" });
  await image("golden.qcow2", "qcow2");
  await image("golden.raw", "raw");
  const vm = await create({
    disks: [
      { name: "root", image: "golden.qcow2", sizeMib: 64 },
      { name: "data", image: "golden.raw", format: "raw", sizeMib: 32 },
      { name: "same", image: "golden.qcow2", sizeMib: 8 },
    ],
  });
  const sizes = vm.disks.map(async ({ path }) => {
    const { stdout } = await run("qemu-img", ["info", "--output=json", join(folder, path)], { what: "test" });
    return (JSON.parse(stdout) as { "virtual-size": number })["virtual-size"] / 1048576;
  });
  expect(await Promise.all(sizes)).toEqual([64, 32, 8]);
  await deleteVm(new VmDatastores(datastore), "web-1");
  const smaller = create({ disks: [{ name: "root", image: "golden.qcow2", sizeMib: 4 }] });
  await expect(smaller).rejects.toMatchObject({ code: "IMAGE_LARGER" });
  expect(await readdir(folder)).toEqual([".godwit-datastore.json", "golden.qcow2", "golden.raw"]);
});

test("an image that is not there, or belongs to another VM, is refused and nothing is left", async () => {
  await expect(create({ disks: [{ name: "root", image: "none.qcow2" }] })).rejects.toMatchObject({
    code: "DISK_MISSING",
  });
  await create({ disks: [{ name: "data", sizeMib: 8 }] });
  const other = create(
    { name: "web-2", disks: [{ name: "root", image: "web-1/data.qcow2" }] },
    "55555555-5555-4555-8555-555555555555" as VmId,
  );
  await expect(other).rejects.toMatchObject({ code: "DISK_OF_OTHER_VM" });
  expect(existsSync(join(folder, "web-2"))).toBe(false);
});

test("a damaged vm.json is told with its place", async () => {
  await create({});
  await writeFile(join(folder, "web-1/vm.json"), '{"version":1,"surprise":true}');
  await expect(readVm(datastore, "web-1")).rejects.toMatchObject({
    code: "VM_DESCRIPTION_INVALID",
    message: expect.stringContaining("vm.json") as string,
  });
});

const otherId = "55555555-5555-4555-8555-555555555555" as VmId;

test("an image is copied for each VM; one that is taken over is kept when its VM is deleted, unless told otherwise", async () => {
  await run("qemu-img", ["create", "-q", "-f", "qcow2", join(folder, "golden.qcow2"), "8M"], {
    what: "test",
  });
  const root = { name: "root", image: "golden.qcow2" };
  for (const [name, vmId] of [
    ["web-1", id],
    ["web-2", otherId],
  ] as const)
    await create({ name, disks: [root] }, vmId);
  await deleteVm(new VmDatastores(datastore), "web-1");
  await deleteVm(new VmDatastores(datastore), "web-2", "none");
  expect(existsSync(join(folder, "web-1"))).toBe(false);
  expect(await readdir(join(folder, "web-2"))).toEqual(["root.qcow2"]);

  const vm = await create({ disks: [{ ...root, take: true }] });
  expect(vm.disks).toEqual([{ name: "root", path: "web-1/root.qcow2", format: "qcow2", taken: true }]);
  expect(existsSync(join(folder, "golden.qcow2"))).toBe(false);
  await deleteVm(new VmDatastores(datastore), "web-1");
  expect(await readdir(join(folder, "web-1"))).toEqual(["root.qcow2"]);

  // What is there is never written over, and becomes a disk only by name.
  for (const disk of [
    { name: "root", sizeMib: 8 },
    { ...root, image: "web-2/root.qcow2" },
  ]) {
    await expect(create({ disks: [disk] })).rejects.toMatchObject({ code: "DISK_EXISTS" });
    expect(await readdir(join(folder, "web-1"))).toEqual(["root.qcow2"]);
  }
  await create({ disks: [{ name: "root", image: "web-1/root.qcow2" }] });
  await deleteVm(new VmDatastores(datastore), "web-1", "all");
  expect(existsSync(join(folder, "web-1"))).toBe(false);
});

test("a disk of which a vm.json of before does not say where it comes from is kept, unless it is to go", async () => {
  const vm = await create({ disks: [{ name: "root", sizeMib: 8 }] });
  expect(vm.disks).toEqual([{ name: "root", path: "web-1/root.qcow2", format: "qcow2", taken: false }]);
  const asBefore = { ...vm, disks: vm.disks.map(({ taken: _, ...disk }) => disk) };
  await writeFile(join(folder, "web-1/vm.json"), JSON.stringify(asBefore));
  await deleteVm(new VmDatastores(datastore), "web-1");
  expect(await readdir(join(folder, "web-1"))).toEqual(["root.qcow2"]);
  await create({ disks: [{ name: "root", image: "web-1/root.qcow2" }] });
  await deleteVm(new VmDatastores(datastore), "web-1", "all");
  expect(existsSync(join(folder, "web-1"))).toBe(false);
});

test("a VM whose making was cut off is made by the same request, whatever the first attempt left", async () => {
  await run("qemu-img", ["create", "-q", "-f", "qcow2", join(folder, "golden.qcow2"), "8M"], {
    what: "test",
  });
  await mkdir(join(folder, "web-1"));
  await writeFile(join(folder, "web-1/.godwit-creating"), `${id}\n`);
  await writeFile(join(folder, "web-1/.root.qcow2.copy"), "half of it");
  await writeFile(join(folder, "web-1/data.qcow2"), "half of it");
  await rename(join(folder, "golden.qcow2"), join(folder, "web-1/gold.qcow2")); // taken over before
  const disks = [
    { name: "data", sizeMib: 8 },
    { name: "gold", image: "golden.qcow2", take: true },
  ];
  const vm = await create({ disks });
  expect(vm.disks.map(({ name }) => name)).toEqual(["data", "gold"]);
  expect((await readdir(join(folder, "web-1"))).sort()).toEqual([
    ".root.qcow2.copy",
    "data.qcow2",
    "gold.qcow2",
    "vm.json",
  ]);
});

test("an image that is a link, or lies behind one, is not copied", async () => {
  await symlink("/etc/passwd", join(folder, "evil.raw"));
  await expect(create({ disks: [{ name: "root", image: "evil.raw", format: "raw" }] })).rejects.toMatchObject(
    { code: "DISK_NOT_OWN" },
  );
  expect(existsSync(join(folder, "web-1"))).toBe(false);
});
