/** A VM whose disks lie on more than one datastore, on real folders with real images. */
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vmDescriptionSchema, type Vm, type VmDescriptionInput, type VmId } from "@godwit/contract";
import { run } from "@godwit/system";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  checkOwnFiles,
  createVm,
  Datastore,
  deleteVm,
  listVmFolders,
  markDatastore,
  readVm,
  VmDatastores,
} from "../src/index.ts";

const id = "22222222-2222-4222-8222-222222222222" as VmId;
const otherId = "55555555-5555-4555-8555-555555555555" as VmId;
const folders: string[] = [];
let [shared, fast, images] = [] as unknown as [Datastore, Datastore, Datastore];
let stores: VmDatastores;

beforeEach(async () => {
  const made = async (name: string) => {
    const path = await mkdtemp(join(tmpdir(), "godwit-ds-"));
    folders.push(path);
    await chmod(path, 0o755); // QEMU's user can get in
    await markDatastore({ name, path, shared: true }, "a");
    return await Datastore.open({ name, path, shared: true }, "a");
  };
  [shared, fast, images] = [await made("shared"), await made("fast"), await made("images")];
  stores = new VmDatastores(shared, [fast, images]);
});
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

const create = async (disks: VmDescriptionInput["disks"], vmId = id, name = "web-1"): Promise<Vm> =>
  await createVm(stores, {
    id: vmId,
    description: vmDescriptionSchema.parse({ name, datastore: "shared", memoryMib: 64, disks }),
    defaults: { machine: "pc-q35-7.2", cpu: { model: "qemu64-v1", add: [], remove: [] }, macs: [] },
    owner: "nobody",
    host: "a",
  });
const image = async (store: Datastore, name: string) => {
  await run("qemu-img", ["create", "-q", "-f", "qcow2", store.resolve(name), "8M"], { what: "test" });
};

test("disks are made where the description says, from images of any datastore; what is made again is the same", async () => {
  await image(images, "debian.qcow2");
  const disks = [
    { name: "root", image: "debian.qcow2", imageDatastore: "images" },
    { name: "data", datastore: "fast", sizeMib: 8 },
    { name: "log", datastore: "fast", image: "debian.qcow2", imageDatastore: "images" },
  ];
  const vm = await create(disks);
  expect(vm.version).toBe(2);
  expect(vm.disks).toEqual([
    { name: "root", path: "web-1/root.qcow2", format: "qcow2", taken: false },
    { name: "data", datastore: "fast", path: "web-1/data.qcow2", format: "qcow2", taken: false },
    { name: "log", datastore: "fast", path: "web-1/log.qcow2", format: "qcow2", taken: false },
  ]);
  expect(await readVm(shared, "web-1")).toEqual(vm);
  expect(existsSync(fast.resolve("web-1/data.qcow2"))).toBe(true);
  expect(existsSync(images.resolve("debian.qcow2"))).toBe(true);
  expect(await readdir(images.resolve("."))).not.toContain("web-1");
  await checkOwnFiles(stores, vm, "a");
  // No VM is taken from a folder with disks only.
  expect(await listVmFolders(fast)).toEqual({ vms: [], unreadable: [] });
  expect(await create(disks)).toEqual(vm);

  await deleteVm(stores, "web-1");
  for (const store of [shared, fast]) expect(existsSync(store.resolve("web-1"))).toBe(false);
});

test("an attempt that fails leaves nothing on either datastore, and the next one succeeds", async () => {
  const data = { name: "data", datastore: "fast", sizeMib: 8 };
  await expect(create([data, { name: "root", image: "none.qcow2" }])).rejects.toMatchObject({
    code: "DISK_MISSING",
  });
  await writeFile(images.resolve("text.qcow2"), "no image at all");
  await expect(
    create([data, { name: "root", image: "text.qcow2", imageDatastore: "images" }]),
  ).rejects.toMatchObject({ code: "IMAGE_FORMAT_DIFFERS" });
  for (const store of [shared, fast]) expect(existsSync(store.resolve("web-1"))).toBe(false);
  expect((await create([data])).disks).toHaveLength(1);
});

test("another VM's folder of disks is neither used nor copied from, and a file of the user's is never written over", async () => {
  const data = { name: "data", datastore: "fast", sizeMib: 8 };
  await create([data]);
  await rm(shared.resolve("web-1"), { recursive: true }); // unregistered, and its folder lost: its disks are still its
  await expect(create([data], otherId)).rejects.toMatchObject({ code: "DISK_FOLDER_TAKEN" });
  const theirs = { name: "root", image: "web-1/data.qcow2", imageDatastore: "fast" };
  await expect(create([theirs], otherId, "web-2")).rejects.toMatchObject({ code: "DISK_OF_OTHER_VM" });

  await mkdir(fast.resolve("web-3"));
  await writeFile(fast.resolve("web-3/data.qcow2"), "the user's");
  await expect(create([data], otherId, "web-3")).rejects.toMatchObject({ code: "DISK_EXISTS" });
  expect(await readdir(fast.resolve("web-3"))).toEqual(["data.qcow2"]);
});

test("a description that names a folder which is not the VM's is refused, and its disks outlive the VM", async () => {
  const data = { name: "data", datastore: "fast", sizeMib: 8 };
  const vm = await create([data]);
  await writeFile(fast.resolve("web-1/.godwit-disks"), JSON.stringify({ version: 1, vm: otherId }));
  await expect(checkOwnFiles(stores, vm, "a")).rejects.toMatchObject({ code: "DISK_NOT_OWN" });
  await deleteVm(stores, "web-1", "all");
  expect(await readdir(fast.resolve("web-1"))).toContain("data.qcow2");
  expect(existsSync(shared.resolve("web-1"))).toBe(false);
});

test("a LUN's name says nothing on a datastore with files: a file of that name is nobody's disk", async () => {
  const vm = await create([{ name: "data", datastore: "fast", sizeMib: 8 }]);
  await writeFile(fast.resolve("lun-1"), "the user's");
  const changed = {
    ...vm,
    disks: [{ name: "data", datastore: "fast", path: "lun-1", format: "raw" as const }],
  };
  await expect(checkOwnFiles(stores, changed, "a")).rejects.toMatchObject({ code: "DISK_NOT_OWN" });
});

test("disks that are kept stay where they are, and can be taken over there", async () => {
  await create([{ name: "data", datastore: "fast", sizeMib: 8 }]);
  await deleteVm(stores, "web-1", "none");
  expect(await readdir(fast.resolve("web-1"))).toEqual(["data.qcow2"]);
  const vm = await create([{ name: "data", datastore: "fast", image: "web-1/data.qcow2" }], otherId);
  expect(vm.disks).toMatchObject([{ datastore: "fast", taken: true }]);
});
