/** Volumes on a LUN, by LVM itself: on a file as its device, and without a device-mapper, which changes metadata alone. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { volumePath } from "@godwit/contract";
import { run } from "@godwit/system";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../../../test-kit/src/describe-with.ts";
import { growthTag } from "../src/luns/growth.ts";
import { lvmArguments, lvmProgram } from "../src/luns/lvm.ts";
import { Volumes } from "../src/luns/volumes.ts";

const mib = 1048576;
const group = "godwit.test";
const missing = !existsSync(lvmProgram)
  ? "lvm2 is not installed"
  : spawnSync("losetup", ["--find"]).status === 0
    ? null
    : "there are no loop devices";
let folder: string;
let device = "";
let volumes: Volumes;

/** A kernel may have no device-mapper. */
const withoutDevices = (argv: readonly string[]) =>
  argv.map((word) => word.replaceAll("use_lvmlockd=0", "use_lvmlockd=0 activation=0"));

async function does(argv: readonly string[], what: string) {
  const [program = "", ...args] = withoutDevices(argv);
  return await run(program, args, { what });
}

describeWith("volumes on a LUN", missing, () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "gw-volumes-"));
    const image = join(folder, "lun.img");
    await writeFile(image, "");
    await truncate(image, 256 * mib);
    device = (await run("losetup", ["--find", "--show", image], { what: "making a device" })).stdout.trim();
    await does(lvmArguments(device, ["pvcreate", device]), "marking it");
    await does(lvmArguments(device, ["vgcreate", group, device]), "making a group");
    volumes = new Volumes({ device, group, datastore: "san", host: "a" }, does);
  });
  afterAll(async () => {
    if (device !== "") await run("losetup", ["--detach", device], { what: "removing the device" });
    await rm(folder, { recursive: true });
  });

  async function found() {
    const volume = await volumes.find("v");
    if (volume === null) throw new Error("there is no volume v");
    return volume;
  }

  test("a growth that was cut off is undone, and one that ended is not; commands that come too late do nothing", async () => {
    await volumes.create("v", 32);
    const made = await found();
    expect(made).toMatchObject({ sizeBytes: 32 * mib, tags: [] });
    const grown = await volumes.beginGrowth("v", made, 64 * mib);
    expect(grown).toEqual({ ...made, sizeBytes: 64 * mib, tags: [growthTag(32 * mib)] });

    // Of an agent that was killed, whose command waited for the lease until now.
    await expect(volumes.beginGrowth("v", made, 96 * mib)).rejects.toThrow(/changed meanwhile/);
    await expect(volumes.remove("v", made)).rejects.toThrow(/changed meanwhile/);
    expect(await found()).toEqual(grown);

    expect(await volumes.undoGrowth("v", grown)).toEqual(made);
    expect(await volumes.undoGrowth("v", made)).toEqual(made);
    await expect(volumes.endGrowth("v", grown)).rejects.toThrow(/changed meanwhile/);

    const again = await volumes.beginGrowth("v", made, 64 * mib);
    await volumes.endGrowth("v", again);
    const ended = await found();
    expect(ended).toEqual({ ...made, sizeBytes: 64 * mib });
    expect(await volumes.undoGrowth("v", ended)).toEqual(ended);

    await volumes.remove("v", ended);
    await volumes.create("v", 64);
    // Another of the same name and size.
    await expect(volumes.remove("v", ended)).rejects.toThrow(/changed meanwhile/);
    expect((await found()).uuid).not.toBe(ended.uuid);
  });

  test("what does not fit is refused with what is free then, and nothing changes", async () => {
    const before = await found();
    await expect(volumes.create("w", 1024)).rejects.toMatchObject({
      code: "SPACE_SHORT",
      problem: { details: { path: device, neededBytes: 1024 * mib } },
    });
    expect(await volumes.find("w")).toBeNull();
    await expect(volumes.beginGrowth("v", before, 1024 * mib)).rejects.toMatchObject({
      code: "SPACE_SHORT",
      problem: { details: { neededBytes: 1024 * mib - before.sizeBytes } },
    });
    expect(await volumes.undoGrowth("v", await found())).toEqual(before);
  });

  test("one that is open is closed and removed under one lease, and stays where it cannot be closed", async () => {
    await volumes.create("w", 4);
    const made = await volumes.find("w");
    if (made === null) throw new Error("there is no volume w");
    const scripts: string[] = [];
    const closing = new Volumes({ device, group, datastore: "san", host: "a" }, async (argv, what) => {
      scripts.push(argv.at(-1) ?? "");
      // What device-mapper says of an open one is stood for by a program that fails, or does not.
      return await does(
        argv.map((word) => word.replace("'/sbin/dmsetup'", closes ? "true" : "false")),
        what,
      );
    });
    let closes = false;
    await expect(closing.remove("w", made, true)).rejects.toMatchObject({ code: "PROGRAM_FAILED" });
    expect(await volumes.find("w")).toEqual(made);
    closes = true;
    await closing.remove("w", made, true);
    expect(await volumes.find("w")).toBeNull();
    expect(scripts[1]).toContain("'remove' '--retry' 'godwit.test-w'\nexec ");
  });

  test("a VM's volumes are those with its id, and no others", async () => {
    const [own, other] = ["6a8f5f0e-8f5d-4b52-9d3a-2b8f4c1f0a11", "6a8f5f0e-8f5d-4b52-9d3a-2b8f4c1f0a12"];
    const names = [volumePath(own, "root"), volumePath(own, "data-1"), volumePath(other, "root"), "leases"];
    for (const name of names) await volumes.create(name, 4);
    expect([...(await volumes.of(own)).keys()].sort()).toEqual(names.slice(0, 2).sort());
  });
});
