/** A disk of a real QEMU comes from a file onto a block device of the host, as a volume is, and back: what is in both, and what QEMU sees of the host. */
import { execFileSync, spawnSync } from "node:child_process";
import { truncateSync, writeFileSync } from "node:fs";
import { chown, readdir, readlink, stat } from "node:fs/promises";
import { join } from "node:path";
import { run, until, userIds } from "@godwit/system";
import { expect, inject, test } from "vitest";
import { describeWith } from "../../../test-kit/src/describe-with.ts";
import { DiskMirror, resizeDisk, type MirrorImage, type QemuProcess } from "../src/index.ts";
import { Fixture, user } from "./fixtures.ts";

const mib = 1 << 20;
const missing = spawnSync("losetup", ["--find"]).status === 0 ? null : "there are no loop devices";

async function opened({ identity }: QemuProcess): Promise<string[]> {
  const folder = `/proc/${String(identity.pid)}/fd`;
  const links = (await readdir(folder)).map((fd) => readlink(join(folder, fd)).catch(() => ""));
  return await Promise.all(links);
}

async function sees({ identity }: QemuProcess, path: string): Promise<boolean> {
  const words = [`--target=${String(identity.pid)}`, "--mount", "--", "test", "-b", path];
  const { exitCode } = await run("nsenter", words, { what: "looking from inside", okCodes: [0, 1] });
  return exitCode === 0;
}

const reaches = async (mirror: DiskMirror, status: string): Promise<void> => {
  const isThere = async () => (await mirror.job())?.status === status;
  expect(await until(isThere, { everyMs: 20, limitMs: 60_000 })).toBe(true);
};

async function goOver(mirror: DiskMirror): Promise<void> {
  await mirror.start(null);
  await reaches(mirror, "ready");
  await mirror.end();
  await reaches(mirror, "pending");
  await mirror.change();
  await reaches(mirror, "over");
  expect(await mirror.used()).toBe("target");
  expect(await mirror.job()).toMatchObject({ error: null });
  await mirror.dismiss();
  await mirror.closeOther();
}

describeWith("a disk on a block device", missing, () => {
  test.each(inject("qemuBinaries"))(
    "comes there from a file while it runs, and back, with %s",
    async (binary) => {
      await using fixture = await Fixture.make(binary);
      const [old, backing, back] = ["old.qcow2", "volume.img", "back.raw"].map((name) =>
        join(fixture.folder, name),
      ) as [string, string, string];
      const { uid, gid } = await userIds(user);
      execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", old, String(15 * mib + 512)]);
      execFileSync("qemu-io", ["-c", "write -q -P 7 1M 1M", "-c", "write -q -P 9 15M 512", old]);
      await chown(old, uid, gid);
      writeFileSync(backing, "");
      truncateSync(backing, 16 * mib);
      const device = execFileSync("losetup", ["--find", "--show", backing], { encoding: "utf8" }).trim();
      await using _detach = {
        [Symbol.asyncDispose]: async () => {
          await run("losetup", ["--detach", device], { what: "removing the device" });
        },
      };
      await chown(device, uid, gid);
      const hypervisor = await fixture.hypervisor("a");
      const qemu = await hypervisor.start({ ...fixture.spec(false), diskPaths: { data: old } });
      await using _end = { [Symbol.asyncDispose]: () => qemu.end() };

      const file: MirrorImage = { path: old, format: "qcow2", isDevice: false };
      const volume: MirrorImage = { path: device, format: "raw", isDevice: true };
      const onto = new DiskMirror(qemu, { disk: "data", source: file, target: volume });
      // A volume has whole extents.
      await resizeDisk(qemu, "data", 16 * mib);
      expect(await onto.sizeBytes()).toBe(16 * mib);
      await goOver(onto);
      expect(await opened(qemu)).toContain(device);
      expect(await opened(qemu)).not.toContain(old);
      const holds = (path: string) => {
        const reads = ["read -P 7 1M 1M", "read -P 9 15M 512", "read -P 0 2M 13M"].flatMap((one) => [
          "-c",
          one,
        ]);
        execFileSync("qemu-io", ["-U", "-r", "-f", "raw", ...reads, path]);
      };
      holds(backing);

      writeFileSync(back, "");
      truncateSync(back, 16 * mib);
      await chown(back, uid, gid);
      const raw: MirrorImage = { path: back, format: "raw", isDevice: false };
      await goOver(new DiskMirror(qemu, { disk: "data", source: volume, target: raw }));
      expect(await opened(qemu)).not.toContain(device);
      expect(await sees(qemu, device)).toBe(false);
      holds(back);
      // What is zeros takes no room in a file.
      expect((await stat(back)).blocks * 512).toBeLessThan(8 * mib);
    },
  );

  test("stays where it was when the copy is cancelled, and QEMU does not see the device afterwards", async () => {
    const [binary = ""] = inject("qemuBinaries");
    await using fixture = await Fixture.make(binary);
    const backing = join(fixture.folder, "volume.img");
    const { uid, gid } = await userIds(user);
    writeFileSync(backing, "");
    truncateSync(backing, 16 * mib);
    const device = execFileSync("losetup", ["--find", "--show", backing], { encoding: "utf8" }).trim();
    await using _detach = {
      [Symbol.asyncDispose]: async () => {
        await run("losetup", ["--detach", device], { what: "removing the device" });
      },
    };
    await chown(device, uid, gid);
    const hypervisor = await fixture.hypervisor("a");
    const qemu = await hypervisor.start(fixture.spec(false));
    await using _end = { [Symbol.asyncDispose]: () => qemu.end() };
    const mirror = new DiskMirror(qemu, {
      disk: "data",
      source: { path: fixture.diskPath, format: "qcow2", isDevice: false },
      target: { path: device, format: "raw", isDevice: true },
    });
    await mirror.start(null);
    await reaches(mirror, "ready");
    expect(await sees(qemu, device)).toBe(true);
    await mirror.cancel();
    await reaches(mirror, "over");
    await mirror.dismiss();
    await mirror.closeOther();
    expect(await mirror.used()).toBe("source");
    expect([await sees(qemu, device), (await opened(qemu)).includes(device)]).toEqual([false, false]);
  });
});
