/** VM folders on a real folder with real images. */
import { existsSync } from "node:fs";
import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vmDescriptionSchema, type VmDescriptionInput, type VmId } from "@godwit/contract";
import { run } from "@godwit/system";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createVm, Datastore, deleteVm, markDatastore, readVm } from "../src/index.ts";

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
  await createVm(datastore, {
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
  expect(existsSync(join(folder, "golden.qcow2"))).toBe(false); // taken over
  expect(await readVm(datastore, "web-1")).toEqual(vm);
  expect(await create({ disks })).toEqual(vm);
  await expect(create({}, "55555555-5555-4555-8555-555555555555" as VmId)).rejects.toMatchObject({
    code: "VM_EXISTS",
  });
  await deleteVm(datastore, "web-1");
  expect(existsSync(join(folder, "web-1"))).toBe(false);
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
  await expect(other).rejects.toMatchObject({ code: "DISK_IN_USE" });
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
