/** Volumes that a VM has no more: when they go, what comes before, and what stays noted. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GodwitError, volumePath, type Vm, type VmDisk, type VmId } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import {
  Datastore,
  markDatastore,
  noteDisk,
  noteLeftVolumes,
  readDiskNote,
  readLeftVolumes,
  VmDatastores,
  VolumeGroup,
} from "@godwit/storage";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { forgetRequests, noteLostVolumes, settleDisks } from "../src/vms/devices/settle-disks.ts";

const id = "6a8f5f0e-8f5d-4b52-9d3a-2b8f4c1f0a11" as VmId;
const disk = (name: string): VmDisk => ({
  ...{ name, datastore: "san", path: volumePath(id, name), format: "raw", taken: false },
});
const vmWith = (...names: string[]) =>
  ({ id, name: "web-1", datastore: "shared", disks: names.map(disk) }) as unknown as Vm;
const running = { spec: { diskPaths: {}, luns: {} } } as unknown as QemuProcess;

let folder: string;
let home: Datastore;
/** What was done, in order. */
let done: string[];
let refusal: GodwitError | null;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-settle-"));
  const config = { name: "shared", path: folder, shared: true };
  await markDatastore(config, "a");
  home = await Datastore.open(config, "a");
  await mkdir(join(folder, "web-1"));
  done = [];
  refusal = null;
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const san = Object.assign(Object.create(VolumeGroup.prototype) as VolumeGroup, {
  name: "san",
  remove: ({ disk: { name } }: { disk: { name: string } }) => {
    done.push(`remove ${name}`);
    return refusal === null ? Promise.resolve() : Promise.reject(refusal);
  },
});
const parts = () => ({
  environment: { datastoresOf: () => Promise.resolve(new VmDatastores(home, [], [san])) },
  leases: {
    writesTo: () => {
      done.push("let go");
      return Promise.resolve();
    },
  },
  log: pino({ level: "silent" }),
});

test("a volume that the guest lets go late goes once the lease's holder has let it go, too", async () => {
  await noteLeftVolumes(home, vmWith("root", "data"), [disk("data")], true);
  await settleDisks(parts(), { vm: vmWith("root", "data"), home, process: running });
  expect([done, (await readLeftVolumes(home, "web-1")).length]).toEqual([["let go"], 1]);
  await noteLostVolumes(home, vmWith("root", "data"), [disk("data")]);
  await settleDisks(parts(), { vm: vmWith("root"), home, process: running });
  expect([done, await readLeftVolumes(home, "web-1")]).toEqual([["let go", "let go", "remove data"], []]);
});

test("one that cannot be removed now hinders nothing, and goes after the next start", async () => {
  await noteLeftVolumes(home, vmWith("root", "data"), [disk("data")], true);
  refusal = GodwitError.of("LUN_METADATA_LOCKED", { datastore: "san", host: "a", reason: "it is locked" });
  await settleDisks(parts(), { vm: vmWith("root"), home, process: running });
  expect((await readLeftVolumes(home, "web-1")).length).toBe(1);
  refusal = null;
  expect(await forgetRequests(home, vmWith("root"))).toBe(true);
  await settleDisks(parts(), { vm: vmWith("root"), home, process: null });
  expect(await readLeftVolumes(home, "web-1")).toEqual([]);
  expect(await forgetRequests(home, vmWith("root"))).toBe(false);
});

test("one that the guest has let go by itself is not removed, and neither is taken for one that was being added", async () => {
  await noteDisk(home, vmWith("root"), disk("new"));
  await noteLostVolumes(home, vmWith("root", "data", "new"), [disk("data"), disk("new")]);
  expect((await readLeftVolumes(home, "web-1")).map(({ disk: name, goes }) => [name, goes])).toEqual([
    ["data", false],
  ]);
  await settleDisks(parts(), { vm: vmWith("root"), home, process: running });
  expect(done).toEqual(["let go", "remove new"]);
  expect([await readDiskNote(home, "web-1"), (await readLeftVolumes(home, "web-1")).length]).toEqual([
    null,
    1,
  ]);
});
