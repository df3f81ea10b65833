/** A disk of a real QEMU comes onto another image and back, and QEMU says where it is at each point. */
import { execFileSync } from "node:child_process";
import { readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { until } from "@godwit/system";
import { describe, expect, inject, test } from "vitest";
import { DiskMirror, type MirrorImage, type QemuProcess } from "../src/index.ts";
import { Fixture, user } from "./fixtures.ts";

const imageAt = (path: string): MirrorImage => ({ path, format: "qcow2", isDevice: false });

function newImage(path: string): void {
  execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", path, "16M"]);
  execFileSync("chown", [`${user}:`, path]);
}

async function openImages({ identity }: QemuProcess): Promise<string[]> {
  const folder = `/proc/${String(identity.pid)}/fd`;
  const links = (await readdir(folder)).map((fd) => readlink(join(folder, fd)).catch(() => ""));
  return [...new Set((await Promise.all(links)).filter((path) => path.endsWith(".qcow2")))];
}

const reaches = async (mirror: DiskMirror, status: string): Promise<void> => {
  expect(
    await until(async () => (await mirror.job())?.status === status, { everyMs: 20, limitMs: 60_000 }),
  ).toBe(true);
};

describe.each(inject("qemuBinaries"))("%s", (binary) => {
  test("a disk is on its old image until the job is finalized, and goes back the same way", async () => {
    await using fixture = await Fixture.make(binary);
    execFileSync("qemu-io", ["-c", "write -q -P 7 1M 1M", fixture.diskPath]);
    const hypervisor = await fixture.hypervisor("a");
    const qemu = await hypervisor.start(fixture.spec(false));
    await using _end = { [Symbol.asyncDispose]: () => qemu.end() };
    const [old, moved] = [fixture.diskPath, join(fixture.folder, "moved.qcow2")];
    for (const [source, target] of [
      [old, moved],
      [moved, old],
      [old, moved],
    ] as const) {
      newImage(target);
      const mirror = new DiskMirror(qemu, {
        ...{ disk: "data", source: imageAt(source), target: imageAt(target) },
      });
      expect(await mirror.sizeBytes()).toBe(16 << 20);
      expect(await mirror.job()).toBeNull();
      await mirror.start(null);
      await reaches(mirror, "ready");
      await mirror.end();
      await reaches(mirror, "pending");
      await mirror.end(); // as of one who saw it ready still
      expect(await mirror.used()).toBe("source");
      await mirror.change();
      await reaches(mirror, "over");
      expect(await mirror.used()).toBe("target");
      expect(await mirror.job()).toMatchObject({ error: null });
      await mirror.dismiss();
      await mirror.closeOther();
      expect(await openImages(qemu)).toEqual([target]);
      execFileSync("qemu-io", ["-U", "-r", "-c", "read -P 7 1M 1M", target]);
    }
    await qemu.activateDisks(); // by the node that the disk is on
  });

  test("one that is cancelled, also when it is pending, stays where it was", async () => {
    await using fixture = await Fixture.make(binary);
    const hypervisor = await fixture.hypervisor("a");
    const qemu = await hypervisor.start(fixture.spec(false));
    await using _end = { [Symbol.asyncDispose]: () => qemu.end() };
    const target = join(fixture.folder, "moved.qcow2");
    newImage(target);
    const mirror = new DiskMirror(qemu, {
      ...{ disk: "data", source: imageAt(fixture.diskPath), target: imageAt(target) },
    });
    for (const when of ["ready", "pending"] as const) {
      await mirror.start(16 << 20);
      await reaches(mirror, "ready");
      if (when === "pending") {
        await mirror.end();
        await reaches(mirror, "pending");
      }
      await mirror.cancel();
      await reaches(mirror, "over");
      await mirror.cancel(); // once more changes nothing
      expect(await mirror.used()).toBe("source");
      await mirror.dismiss();
    }
    await mirror.closeOther();
    expect(await openImages(qemu)).toEqual([fixture.diskPath]);
  });
});
