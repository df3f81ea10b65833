/** A block device of the host, as a volume is, comes to a QEMU that runs, and goes again: what its namespace and QEMU itself say of it. */
import { execFileSync, spawnSync } from "node:child_process";
import { truncateSync, writeFileSync } from "node:fs";
import { chown, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { userIds, run } from "@godwit/system";
import { expect, inject, test } from "vitest";
import { describeWith } from "../../../test-kit/src/describe-with.ts";
import {
  deviceIds,
  forgetDisk,
  placeForDisk,
  placesOf,
  plugDisk,
  poweredOn,
  sizeOfDisk,
  withPlaces,
  type QemuProcess,
} from "../src/index.ts";
import { Fixture, user } from "./fixtures.ts";

const missing = spawnSync("losetup", ["--find"]).status === 0 ? null : "there are no loop devices";

/** What QEMU sees of the host at a path: of a block device its numbers, and whether its user can write to it. */
async function seenBy({ identity, user: { uid } }: QemuProcess, path: string): Promise<string> {
  const words = [
    `--target=${String(identity.pid)}`,
    ...["--mount", "--", "setpriv", "--reuid", String(uid), "--clear-groups", "--"],
    ...["sh", "-c", `test -b ${path} && test -w ${path} && exec 3<>${path} && echo writable`],
  ];
  const { stdout } = await run("nsenter", words, { what: "looking from inside", okCodes: [0, 1, 2] });
  return stdout.trim();
}

async function opened({ identity }: QemuProcess): Promise<string[]> {
  const folder = `/proc/${String(identity.pid)}/fd`;
  const links = (await readdir(folder)).map((fd) => readlink(join(folder, fd)).catch(() => ""));
  return await Promise.all(links);
}

describeWith("a block device", missing, () => {
  test.each(inject("qemuBinaries"))("comes to %s while it runs, and goes again", async (binary) => {
    await using fixture = await Fixture.make(binary);
    const image = join(fixture.folder, "volume.img");
    writeFileSync(image, "");
    truncateSync(image, 8 << 20);
    const device = execFileSync("losetup", ["--find", "--show", image], { encoding: "utf8" }).trim();
    await using _detach = {
      [Symbol.asyncDispose]: async () => {
        await run("losetup", ["--detach", device], { what: "removing the device" });
      },
    };
    const { uid, gid } = await userIds(user);
    await chown(device, uid, gid);
    const hypervisor = await fixture.hypervisor("a");
    const spec = fixture.spec(false);
    const qemu = await hypervisor.start({ ...spec, vm: poweredOn(spec.vm, true) });
    await using _end = { [Symbol.asyncDispose]: () => qemu.end() };
    const before = qemu.spec;
    expect(await seenBy(qemu, device)).toBe("");

    const disk = { name: "volume", path: "volume", format: "raw" as const };
    const place = placeForDisk(before.vm, undefined, { running: true, ports: true });
    if (place === null) throw new Error("there is no place for the disk");
    const { disks, nics } = placesOf(before.vm);
    const vm = withPlaces(
      { ...before.vm, disks: [...before.vm.disks, disk] },
      { disks: [...disks, place], nics },
    );
    const change = { vm, taps: [], diskPaths: { ...before.diskPaths, volume: device } };
    await qemu.updateDevices({ ...change, blockDevices: ["volume"] });
    await plugDisk(qemu, vm, "volume");
    expect(await seenBy(qemu, device)).toBe("writable");
    expect([...(await deviceIds(qemu))]).toContain("volume");
    expect(await sizeOfDisk(qemu, "volume")).toBe(8 << 20);
    expect(await opened(qemu)).toContain(device);
    // It can see that one, and no other device.
    expect(await seenBy(qemu, "/dev/loop-control")).toBe("");

    // A reset ends what the guest has not answered.
    await qemu.qmp.execute("device_del", { id: "volume" });
    await qemu.reset();
    await expect.poll(async () => (await deviceIds(qemu)).has("volume"), { timeout: 60_000 }).toBe(false);
    await forgetDisk(qemu, "volume", device);
    await qemu.updateDevices({ vm: before.vm, taps: [], diskPaths: before.diskPaths });
    expect(qemu.spec.blockDevices).toBeUndefined();
    expect(await seenBy(qemu, device)).toBe("");
    expect(await opened(qemu)).not.toContain(device);
  });
});
