/** Volumes that a VM has no more, or is to have no more: what is noted of them, and what becomes of them. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { volumePath, type Vm, type VmDisk, type VmId } from "@godwit/contract";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Datastore, markDatastore } from "../src/datastore.ts";
import { VolumeGroup, type VolumeDisk } from "../src/datastores/volume-group.ts";
import { addDiskImage, readDiskNote } from "../src/disk-change.ts";
import {
  forgetLapsedRequests,
  forgetLeftVolume,
  noteLeftVolumes,
  readLeftVolumes,
  settleLeftVolumes,
  whatIsLeft,
} from "../src/left-volumes.ts";
import { VmDatastores } from "../src/vm-datastores.ts";

const id = "6a8f5f0e-8f5d-4b52-9d3a-2b8f4c1f0a11" as VmId;
const disk = (name: string): VmDisk => ({
  ...{ name, datastore: "san", path: volumePath(id, name), format: "raw", taken: false },
});
const vmWith = (...names: string[]) =>
  ({ id, name: "web-1", datastore: "shared", disks: names.map(disk) }) as unknown as Vm;

let folder: string;
let home: Datastore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-left-"));
  await markDatastore({ name: "shared", path: folder, shared: true }, "a");
  home = await Datastore.open({ name: "shared", path: folder, shared: true }, "a");
  await mkdir(join(folder, "web-1"));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

test("a removal that the guest has not answered holds while its QEMU runs, and ends with that", async () => {
  await noteLeftVolumes(home, vmWith("root", "data"), [disk("data")], true);
  const left = await readLeftVolumes(home, "web-1");
  expect(left).toEqual([{ disk: "data", datastore: "san", path: volumePath(id, "data"), goes: true }]);
  expect(whatIsLeft(left, vmWith("root", "data"), true)).toEqual({ go: [], stay: left });
  expect(whatIsLeft(left, vmWith("root", "data"), false)).toEqual({ go: [], stay: [] });
  // The guest has let it go, whether its QEMU still runs or not.
  for (const isRunning of [true, false])
    expect(whatIsLeft(left, vmWith("root"), isRunning)).toEqual({ go: left, stay: [] });
});

test("before a start, requests that were not followed are forgotten, and it is known what is to go", async () => {
  const vm = vmWith("root", "data");
  await noteLeftVolumes(home, vm, [disk("data")], true);
  expect(await forgetLapsedRequests(home, vm)).toBe(false);
  expect(await readLeftVolumes(home, "web-1")).toEqual([]);
  await noteLeftVolumes(home, vm, [disk("data")], true);
  expect(await forgetLapsedRequests(home, vmWith("root"))).toBe(true);
  expect(await readLeftVolumes(home, "web-1")).toHaveLength(1);
});

test("one that the guest has let go by itself stays noted, also when the VM is off", async () => {
  await noteLeftVolumes(home, vmWith("root", "data"), [disk("data")], false);
  const left = await readLeftVolumes(home, "web-1");
  for (const isRunning of [true, false])
    expect(whatIsLeft(left, vmWith("root"), isRunning)).toEqual({ go: [], stay: left });
});

test("that it is lost does not take back that its removal was asked for; that it is kept does", async () => {
  const vm = vmWith("root", "data");
  await noteLeftVolumes(home, vm, [disk("data")], true);
  await noteLeftVolumes(home, vm, [disk("data")], false);
  expect((await readLeftVolumes(home, "web-1")).map(({ goes }) => goes)).toEqual([true]);
  await forgetLeftVolume(home, vm, disk("data"));
  expect(await readLeftVolumes(home, "web-1")).toEqual([]);
  expect(await readdir(join(folder, "web-1"))).toEqual([]);
});

test("files are not noted, and a note that was written by somebody else names only volumes", async () => {
  const file: VmDisk = { name: "file", path: "web-1/file.qcow2", format: "qcow2" };
  await noteLeftVolumes(home, vmWith("root"), [file], false);
  expect(await readLeftVolumes(home, "web-1")).toEqual([]);
  const volumes = [{ disk: "file", datastore: "san", path: "web-2/root.qcow2", goes: true }];
  await writeFile(join(folder, "web-1/.godwit-left-volumes"), JSON.stringify({ version: 1, volumes }));
  expect(await readLeftVolumes(home, "web-1")).toEqual([]);
});

test("what cannot be removed stays noted", async () => {
  await noteLeftVolumes(home, vmWith("root", "data"), [disk("data")], true);
  const stores = new VmDatastores(home);
  await expect(settleLeftVolumes(stores, vmWith("root"), true)).rejects.toThrow(/was not opened/);
  expect(await readLeftVolumes(home, "web-1")).toHaveLength(1);
  // At rest the disk is the VM's as before.
  await settleLeftVolumes(stores, vmWith("root", "data"), false);
  expect(await readLeftVolumes(home, "web-1")).toEqual([]);
});

/** A LUN on which no volume is; some cannot be removed. */
const lunWithout = (stuck: string | null) =>
  Object.assign(Object.create(VolumeGroup.prototype) as VolumeGroup, {
    name: "san",
    remove: ({ disk: { name } }: VolumeDisk) =>
      name === stuck ? Promise.reject(new Error("the LUN hangs")) : Promise.resolve(),
    mustBeFree: () => Promise.resolve(),
    make: () => Promise.reject(new Error("the LUN hangs")),
  });

test("where one cannot be removed, those that were removed before are noted no more", async () => {
  const vm = vmWith("root");
  await noteLeftVolumes(home, vm, [disk("data"), disk("logs"), disk("more")], true);
  const stores = new VmDatastores(home, [], [lunWithout("logs")]);
  await expect(settleLeftVolumes(stores, vm, true)).rejects.toThrow("the LUN hangs");
  expect((await readLeftVolumes(home, "web-1")).map((one) => one.disk)).toEqual(["logs", "more"]);
});

test("a new disk is not taken for an earlier one of its name whose removal was asked for", async () => {
  const vm = vmWith("root");
  await noteLeftVolumes(home, vm, [disk("data")], true);
  const stores = new VmDatastores(home, [], [lunWithout(null)]);
  const make = {
    disk: { name: "data", datastore: "san", format: "raw" as const, sizeMib: 8 },
    ...{ user: { uid: 0, gid: 0 }, host: "a", onCopy: () => undefined, signal: new AbortController().signal },
  };
  await expect(addDiskImage(stores, vm, make)).rejects.toThrow("the LUN hangs");
  expect(await readLeftVolumes(home, "web-1")).toEqual([]);
  // Whose the volume is, if there is one, is still said.
  expect(await readDiskNote(home, "web-1")).toMatchObject({ disk: "data", path: volumePath(id, "data") });
});
