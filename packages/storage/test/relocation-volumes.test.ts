/** Disks that move between files and volumes on LUNs, and an export of a volume: what is in the images, what is noted, and what is left. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, open, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { diskBaseOf, vmSchema, volumePath, type TaskId, type Vm, type VmDisk } from "@godwit/contract";
import { run, userIds } from "@godwit/system";
import { afterEach, beforeEach, expect, test } from "vitest";
import { describeWith } from "../../../test-kit/src/describe-with.ts";
import { writeOva } from "../src/export/write-ova.ts";
import {
  beginRelocation,
  copyToTarget,
  Datastore,
  describeAt,
  endRelocation,
  makeTarget,
  markDatastore,
  noteLeftVolumes,
  readLeftVolumes,
  readRelocation,
  relocationOf,
  saveVm,
  seenVolumes,
  settleLeftVolumes,
  VmDatastores,
  volumesUnderWay,
  type Relocation,
} from "../src/index.ts";
import { LoopVolumes } from "./loop-volumes.ts";

const mib = 1048576;
const missing =
  spawnSync("losetup", ["--find"]).status !== 0
    ? "there are no loop devices"
    : spawnSync("qemu-img", ["--version"]).status !== 0
      ? "qemu-img is not installed"
      : null;
const vm: Vm = vmSchema.parse({
  ...{ version: 1, id: "22222222-2222-4222-8222-222222222222", name: "web-1", datastore: "shared" },
  ...{ memoryMib: 64, vcpus: 1, cpu: { model: "qemu64-v1" }, machine: "pc-q35-7.2", nics: [] },
  disks: [{ name: "data", path: "web-1/data.qcow2", format: "qcow2", taken: false }],
});
const volume = volumePath(vm.id, "data");
const diskOf = ({ disks }: Vm): VmDisk => disks[0] as VmDisk;

test("a disk that comes to a LUN is a raw volume there, and its description goes back as it was", () => {
  const there = relocationOf(vm, diskOf(vm), "san", { isVolume: true });
  expect(there.to).toEqual({ datastore: "san", path: volume, format: "raw" });
  const after = describeAt(vm, there, "target");
  expect(after.disks).toEqual([{ ...diskOf(vm), datastore: "san", path: volume, format: "raw" }]);
  expect(describeAt(after, there, "source")).toEqual(vm);
  const other = relocationOf(after, diskOf(after), "san-2", { isVolume: true });
  expect(other).toMatchObject({ from: { datastore: "san" }, to: { datastore: "san-2", path: volume } });
  expect(relocationOf(after, diskOf(after), "shared").to.path).toBe("web-1/data.raw");
  const back = relocationOf(after, diskOf(after), "shared", { format: "qcow2" });
  expect(describeAt(after, back, "target")).toEqual(vm);
});

test("a volume goes with its VM, also where the image was taken over; an image that it goes back to is as it was", () => {
  for (const taken of [true, undefined]) {
    const { taken: _, ...disk } = diskOf(vm);
    const kept = { ...vm, disks: [taken === undefined ? disk : { ...disk, taken }] };
    const there = relocationOf(kept, diskOf(kept), "san", { isVolume: true });
    const after = describeAt(kept, there, "target");
    expect(diskOf(after).taken).toBe(false);
    expect(describeAt(after, there, "source")).toEqual(kept);
  }
});

test("what cannot be a volume, a disk in a snapshot that would be converted, and a LUN as it is are refused", () => {
  const refused = (one: Vm, disk: VmDisk, asked: Parameters<typeof relocationOf>[3]) => {
    try {
      relocationOf(one, disk, "san", asked);
      return "not refused";
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  const disk = diskOf(vm);
  expect(refused(vm, disk, { isVolume: true, format: "qcow2" })).toBe("DISK_NOT_OWN");
  expect(refused(vm, { ...disk, datastore: "target", path: "lun-1" }, {})).toBe("DISK_IS_LUN");
  const snapshots = [{ name: "before", vm: { disks: [disk] } }] as unknown as NonNullable<Vm["snapshots"]>;
  expect(refused({ ...vm, snapshots }, disk, { isVolume: true })).toBe("DISK_HAS_SNAPSHOTS");
  expect(refused({ ...vm, snapshots }, disk, {})).toBe("not refused");
});

describeWith("moves between files and volumes", missing, () => {
  let folder: string;
  let home: Datastore;
  let [san, other] = [] as unknown as [LoopVolumes, LoopVolumes];
  let stores: VmDatastores;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "gw-move-"));
    await chmod(folder, 0o755);
    await markDatastore({ name: "shared", path: folder, shared: true }, "a");
    home = await Datastore.open({ name: "shared", path: folder, shared: true }, "a");
    const lun = async (name: string) => {
      await run("mkdir", [join(folder, name)], { what: "test" });
      return new LoopVolumes(name, join(folder, name));
    };
    [san, other] = [await lun("san"), await lun("san-2")];
    stores = new VmDatastores(home, [], [san.asGroup(), other.asGroup()]);
    await run("mkdir", [home.resolve("web-1")], { what: "test" });
    const image = home.resolve("web-1/data.qcow2");
    execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", image, "8M"]);
    execFileSync("qemu-io", ["-c", "write -q -P 7 1M 1M", image]);
    await saveVm(home, vm);
  });
  afterEach(async () => {
    for (const lun of [san, other]) await lun.close();
    await rm(folder, { recursive: true });
  });

  const by = async (signal = new AbortController().signal) => ({
    ...{ user: await userIds("nobody"), onCopy: () => undefined, signal },
  });
  /** @returns the VM with its disk there */
  async function moved(now: Vm, to: string, asked: Parameters<typeof relocationOf>[3]): Promise<Vm> {
    const relocation = relocationOf(now, diskOf(now), to, asked);
    await beginRelocation(stores, now, relocation);
    expect(await readRelocation(home, "web-1")).toEqual(relocation);
    await copyToTarget(stores, { vm: now, relocation }, await by());
    const after = describeAt(now, relocation, "target");
    await saveVm(home, after);
    expect(await endRelocation(stores, after, relocation)).toBeNull();
    expect([await readRelocation(home, "web-1"), await readLeftVolumes(home, "web-1")]).toEqual([null, []]);
    expect([...san.active.keys(), ...other.active.keys()]).toEqual([]);
    return after;
  }
  const holds = (path: string, format: string) => {
    execFileSync("qemu-io", [
      ...["-r", "-f", format, "-c", "read -q -P 7 1M 1M", "-c", "read -q -P 0 4M 4M", path],
    ]);
  };
  /** A move onto the LUN that was started. */
  async function started(): Promise<Relocation> {
    const relocation = relocationOf(vm, diskOf(vm), "san", { isVolume: true });
    await beginRelocation(stores, vm, relocation);
    return relocation;
  }

  test("at rest from a file onto a LUN, to another LUN, and back to files, and all have the same content", async () => {
    const onto = await moved(vm, "san", { isVolume: true });
    holds(san.fileOf(volume), "raw");
    expect(existsSync(home.resolve("web-1/data.qcow2"))).toBe(false);

    const there = await moved(onto, "san-2", { isVolume: true });
    holds(other.fileOf(volume), "raw");
    expect(san.volumes.size).toBe(0);

    const back = await moved(there, "shared", {});
    const file = home.resolve("web-1/data.raw");
    holds(file, "raw");
    // What is zeros takes no room.
    expect([(await stat(file)).size, (await stat(file)).blocks * 512 < 4 * mib]).toEqual([8 * mib, true]);
    expect(other.volumes.size).toBe(0);

    const again = await moved(back, "san", { isVolume: true });
    const asBefore = await moved(again, "shared", { format: "qcow2" });
    holds(home.resolve("web-1/data.qcow2"), "qcow2");
    expect(asBefore).toEqual(vm);
  });

  test("a raw disk is copied as it is, also where its guest has written the begin of another format into it", async () => {
    const onto = await moved(vm, "san", { isVolume: true });
    const raw = await moved(onto, "shared", {});
    const file = home.resolve("web-1/data.raw");
    const written = await open(file, "r+");
    await written.write(Buffer.from("QFI\xfb\0\0\0\x03", "latin1"), 0, 8, 0).finally(() => written.close());
    await moved(raw, "san", { isVolume: true });
    holds(san.fileOf(volume), "raw");
    expect((await readFile(san.fileOf(volume))).subarray(0, 3).toString()).toBe("QFI");
  });

  test("a linked disk is a volume with all that it holds, and its base goes with its image", async () => {
    const [base, image] = ["web-1/data.base.qcow2", "web-1/data.qcow2"].map((path) => home.resolve(path));
    execFileSync("mv", [image ?? "", base ?? ""]);
    execFileSync("qemu-img", [
      ...["create", "-q", "-f", "qcow2", "-b", "data.base.qcow2", "-F", "qcow2", image ?? ""],
    ]);
    execFileSync("qemu-io", ["-c", "write -q -P 5 2M 64k", image ?? ""]);
    const linked = { ...vm, disks: [{ ...diskOf(vm), base: diskBaseOf("web-1", "data", "qcow2") }] };
    await saveVm(home, linked);
    const onto = await moved(linked, "san", { isVolume: true });
    expect(diskOf(onto).base).toBeUndefined();
    holds(san.fileOf(volume), "raw");
    execFileSync("qemu-io", ["-r", "-f", "raw", "-c", "read -q -P 5 2M 64k", san.fileOf(volume)]);
    expect([base, image].map((path) => existsSync(path ?? ""))).toEqual([false, false]);
  });

  test("one that is cancelled leaves the disk where it was, and no volume", async () => {
    const relocation = await started();
    const reason = new Error("it was cancelled");
    const copying = copyToTarget(stores, { vm, relocation }, await by(AbortSignal.abort(reason)));
    await expect(copying).rejects.toBe(reason);
    expect(await endRelocation(stores, vm, relocation)).toBeNull();
    expect([san.volumes.size, san.active.size, await readRelocation(home, "web-1")]).toEqual([0, 0, null]);
    holds(home.resolve("web-1/data.qcow2"), "qcow2");
  });

  test("one that was cut off can begin again over the volume that it left; somebody's volume is refused", async () => {
    const relocation = await started();
    await makeTarget(stores, { vm, relocation }, { sizeBytes: 8 * mib, user: { uid: 0, gid: 0 } });
    expect(san.active.size).toBe(0);
    expect(await volumesUnderWay(home, vm)).toMatchObject([{ datastore: "san", path: volume }]);
    await beginRelocation(stores, vm, relocation);
    await copyToTarget(stores, { vm, relocation }, await by());
    holds(san.fileOf(volume), "raw");

    await rm(home.resolve("web-1/.godwit-relocation"));
    await expect(started()).rejects.toMatchObject({ code: "DISK_EXISTS" });
    expect(await readRelocation(home, "web-1")).toBeNull();
    holds(san.fileOf(volume), "raw");
  });

  test("a volume that cannot be removed stays noted, goes later, and hinders no move back", async () => {
    const onto = await moved(vm, "san", { isVolume: true });
    const back = relocationOf(onto, diskOf(onto), "shared", { format: "qcow2" });
    await beginRelocation(stores, onto, back);
    await copyToTarget(stores, { vm: onto, relocation: back }, await by());
    await saveVm(home, vm);
    const hangs = Object.assign(san.asGroup(), { remove: () => Promise.reject(new Error("the LUN hangs")) });
    const stuck = new VmDatastores(home, [], [hangs]);
    expect(await endRelocation(stuck, vm, back)).toMatchObject({ message: "the LUN hangs" });
    expect(await readRelocation(home, "web-1")).toBeNull();
    expect(await readLeftVolumes(home, "web-1")).toMatchObject([{ path: volume, goes: true }]);
    await settleLeftVolumes(stores, vm, true);
    expect([san.volumes.size, await readLeftVolumes(home, "web-1")]).toEqual([0, []]);
  });

  test("a volume of the disk's name that was to go is made again, and is not to go any more", async () => {
    const of = { vm, disk: { name: "data", path: volume } };
    await san.asGroup().make(of, 8, { uid: 0, gid: 0 }, { onMade: () => undefined });
    await noteLeftVolumes(home, vm, [{ ...diskOf(vm), datastore: "san", path: volume }], true);
    const relocation = await started();
    expect(await readLeftVolumes(home, "web-1")).toEqual([]);
    await copyToTarget(stores, { vm, relocation }, await by());
    holds(san.fileOf(volume), "raw");
  });

  test("a volume of the same name that another host has made since stays", async () => {
    const relocation = await started();
    const user = { uid: 0, gid: 0 };
    await makeTarget(stores, { vm, relocation }, { sizeBytes: 8 * mib, user });
    const known = await seenVolumes(stores, vm, relocation);
    await makeTarget(stores, { vm, relocation }, { sizeBytes: 8 * mib, user });
    expect(await endRelocation(stores, vm, relocation, known)).toBeNull();
    expect(san.volumes.size).toBe(1);
  });

  test("a note that names another VM's volume removes nothing", async () => {
    const relocation = await started();
    const note = home.resolve("web-1/.godwit-relocation");
    const theirs = volumePath("33333333-3333-4333-8333-333333333333", "data");
    for (const to of [
      { datastore: "san", path: theirs },
      { datastore: "shared", path: volume },
    ]) {
      const forged = { ...relocation, to };
      await writeFile(note, JSON.stringify(forged));
      await writeFile(home.resolve(volume), "somebody's");
      expect(await endRelocation(stores, vm, forged)).toBeNull();
      expect([existsSync(note), existsSync(home.resolve(volume))]).toEqual([false, true]);
    }
  });

  test("a VM with a volume is exported, with the volume's content, which is active nowhere afterwards", async () => {
    const onto = await moved(vm, "san", { isVolume: true });
    const id = "6a8f5f0e-8f5d-4b52-9d3a-2b8f4c1f0a99" as TaskId;
    const place = { datastore: "shared", path: "web.ova" };
    const user = await userIds("nobody");
    await writeOva({ id, vm: onto, stores, to: home, place, user, onCopy: () => undefined });
    execFileSync("tar", ["xf", "web.ova"], { cwd: folder });
    const [image, raw] = ["web-1-data.vmdk", "exported.raw"].map((name) => join(folder, name));
    execFileSync("qemu-img", ["convert", "-O", "raw", image ?? "", raw ?? ""]);
    holds(raw ?? "", "raw");
    expect([san.active.size, san.volumes.size]).toEqual([0, 1]);
  });
});
