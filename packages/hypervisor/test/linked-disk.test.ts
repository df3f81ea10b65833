/** A linked disk of a real QEMU: its base is opened for reading only, whoever wrote the image's header, and goes with the disk. */
import { execFileSync } from "node:child_process";
import { chmod, chown, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { type Vm } from "@godwit/contract";
import { until } from "@godwit/system";
import { describe, expect, inject, test } from "vitest";
import {
  deviceIds,
  DiskMirror,
  forgetDisk,
  placeForDisk,
  placesOf,
  plugDisk,
  poweredOn,
  withPlaces,
  type LaunchSpec,
  type QemuProcess,
} from "../src/index.ts";
import { baseNodes, diskNodeNames, diskNodes, fileStorage } from "../src/disk-nodes.ts";
import { Fixture, user } from "./fixtures.ts";

const qemuImg = (...words: string[]) => execFileSync("qemu-img", words, { stdio: "pipe" });
const newBase = async (path: string, byte: number) => {
  qemuImg("create", "-q", "-f", "qcow2", path, "16M");
  execFileSync("qemu-io", ["-c", `write -q -P ${String(byte)} 1M 1M`, path]);
  await chown(path, 0, 0);
  await chmod(path, 0o444);
};
/** @param named by its header, which QEMU is not to follow */
const newOverlay = (path: string, named: string) => {
  qemuImg("create", "-q", "-f", "qcow2", "-u", "-F", "qcow2", "-b", named, path, "16M");
  execFileSync("chown", [`${user}:`, path]);
};
const linked = (spec: LaunchSpec): LaunchSpec => {
  const disks = spec.vm.disks.map((disk) => ({
    ...{ ...disk, base: { path: "probe-vm/data.base.qcow2", format: "qcow2" as const } },
  }));
  return { ...spec, vm: { ...spec.vm, version: 2, disks } };
};

/** Images that it has open, and how. */
async function opened({ identity }: QemuProcess): Promise<Record<string, string>> {
  const folder = `/proc/${String(identity.pid)}`;
  const found: Record<string, string> = {};
  for (const fd of await readdir(join(folder, "fd"))) {
    const path = await readlink(join(folder, "fd", fd)).catch(() => "");
    if (!path.endsWith(".qcow2")) continue;
    const flags = /^flags:\s+(\d+)$/m.exec(await readFile(join(folder, "fdinfo", fd), "utf8"))?.[1] ?? "2";
    found[path.slice(path.lastIndexOf("/") + 1)] = (Number.parseInt(flags, 8) & 3) === 0 ? "r" : "rw";
  }
  return found;
}

const reaches = async (mirror: DiskMirror, status: string): Promise<void> => {
  const isThere = async () => (await mirror.job())?.status === status;
  expect(await until(isThere, { everyMs: 20, limitMs: 60_000 })).toBe(true);
};

describe.each(inject("qemuBinaries"))("%s", (binary) => {
  test("the base that is described is read, and none that the header names; a move makes the disk whole", async () => {
    await using fixture = await Fixture.make(binary);
    const [base, other] = ["data.base.qcow2", "other.qcow2"].map((name) => join(fixture.folder, name)) as [
      string,
      string,
    ];
    await newBase(base, 7);
    await newBase(other, 9);
    newOverlay(fixture.diskPath, other);
    const hypervisor = await fixture.hypervisor("a");
    const qemu = await hypervisor.start(linked(fixture.spec(false)));
    await using _end = { [Symbol.asyncDispose]: () => qemu.end() };
    expect(await opened(qemu)).toEqual({ "disk.qcow2": "rw", "data.base.qcow2": "r" });

    const target = join(fixture.folder, "moved.qcow2");
    qemuImg("create", "-q", "-f", "qcow2", target, "16M");
    execFileSync("chown", [`${user}:`, target]);
    const imageAt = (path: string) => ({ path, format: "qcow2" as const, isDevice: false });
    const mirror = new DiskMirror(qemu, {
      ...{ disk: "data", source: imageAt(fixture.diskPath), target: imageAt(target) },
      base: { filename: base },
    });
    // One that is cancelled leaves the disk on its base.
    await mirror.start(null);
    await reaches(mirror, "ready");
    await mirror.cancel();
    await reaches(mirror, "over");
    await mirror.dismiss();
    await mirror.closeOther();
    expect(await opened(qemu)).toEqual({ "disk.qcow2": "rw", "data.base.qcow2": "r" });

    await mirror.start(null);
    await reaches(mirror, "ready");
    await mirror.end();
    await reaches(mirror, "pending");
    await mirror.change();
    await reaches(mirror, "over");
    await mirror.dismiss();
    await mirror.closeOther();
    await mirror.closeOther(); // as after an answer that was lost
    expect(await opened(qemu)).toEqual({ "moved.qcow2": "rw" });
    const read = execFileSync("qemu-io", ["-U", "-r", "-c", "read -P 7 1M 1M", target], { encoding: "utf8" });
    expect(read).not.toContain("verification failed");
    expect(qemuImg("info", "-U", target).toString()).not.toContain("backing");
  });

  test("one comes to a QEMU that runs, and goes again with its base", async () => {
    await using fixture = await Fixture.make(binary);
    const base = join(fixture.folder, "more.base.qcow2");
    await newBase(base, 7);
    const image = join(fixture.folder, "more.qcow2");
    newOverlay(image, "more.base.qcow2");
    const hypervisor = await fixture.hypervisor("a");
    const spec = fixture.spec(false);
    const qemu = await hypervisor.start({ ...spec, vm: poweredOn(spec.vm, true) });
    await using _end = { [Symbol.asyncDispose]: () => qemu.end() };
    const before = qemu.spec;
    const disk: Vm["disks"][number] = {
      ...{ name: "more", path: "probe-vm/more.qcow2", format: "qcow2" },
      base: { path: "probe-vm/more.base.qcow2", format: "qcow2" },
    };
    const place = placeForDisk(before.vm, undefined, { running: true, ports: true });
    if (place === null) throw new Error("there is no place for the disk");
    const { disks, nics } = placesOf(before.vm);
    const vm = withPlaces(
      { ...before.vm, disks: [...before.vm.disks, disk] },
      { disks: [...disks, place], nics },
    );
    await qemu.updateDevices({ vm, taps: [], diskPaths: { ...before.diskPaths, more: image } });
    await plugDisk(qemu, vm, "more");
    expect([...(await deviceIds(qemu))]).toContain("more");
    expect(await opened(qemu)).toEqual({ "disk.qcow2": "rw", "more.qcow2": "rw", "more.base.qcow2": "r" });

    await qemu.qmp.execute("device_del", { id: "more" });
    await qemu.reset(); // it ends what no guest has answered
    const isGone = async () => !(await deviceIds(qemu)).has("more");
    expect(await until(isGone, { everyMs: 50, limitMs: 60_000 })).toBe(true);
    await forgetDisk(qemu, "more", image);
    expect(await opened(qemu)).toEqual({ "disk.qcow2": "rw" });
  });
});

test("a base has nothing below it, and no node of it is opened for writing", () => {
  const nodes = baseNodes("root", { filename: "/x/root.base.qcow2", format: "qcow2" });
  expect(nodes.map((node) => node["read-only"])).toEqual([true, true]);
  expect(nodes[1]).toMatchObject({ driver: "qcow2", backing: null });
  expect(baseNodes("root", { filename: "/x/root.base.raw", format: "raw" })[1]).not.toHaveProperty("backing");
  const [names] = diskNodeNames("root");
  expect(diskNodes(names, "qcow2", fileStorage("/x/root.qcow2"))[1]).toMatchObject({ backing: null });
});
