/**
 * Snapshots inside of the qcow2 images of a VM that does not run, by `qemu-img` as the images' own user in a sandbox. The images
 * were checked to be the VM's, and the caller has its exclusive lease. QEMU orders what it writes so that an image is whole
 * wherever it is cut off; each step may be done again.
 */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { GodwitError, parseJson, snapshotTag, type Snapshot, type Vm, type VmDisk } from "@godwit/contract";
import { limitedAs, run } from "@godwit/system";
import { z } from "zod";
import type { VmDatastores } from "./vm-datastores.ts";

/** The tables of a large image are written once more. */
const limitMs = 30 * 60_000;
const cpuSeconds = 1800;
const besideBytes = 1024 ** 3;

/** More than QEMU itself makes of an image. */
const infoSchema = z.object({
  snapshots: z
    .array(z.object({ name: z.string(), "vm-state-size": z.number() }))
    .max(65_536)
    .default([]),
});

export interface ImageTag {
  tag: string;
  hasMemory: boolean;
}

/** Of each disk, in the VM's order. @throws SNAPSHOT_BROKEN */
export async function mustHaveTag(stores: VmDatastores, vm: Vm, snapshot: Snapshot): Promise<void> {
  for (const [index, disk] of vm.disks.entries()) {
    const path = stores.pathOf(disk);
    const found = (await tagsIn(path)).find(({ tag }) => tag === snapshotTag(snapshot.id));
    const needsMemory = index === 0 && snapshot.memory !== null;
    if (found !== undefined && (found.hasMemory || !needsMemory)) continue;
    throw GodwitError.of("SNAPSHOT_BROKEN", {
      ...{ vm: vm.name, snapshot: snapshot.name, disk: disk.name, path },
      what: found === undefined ? "content" : "memory",
    });
  }
}

export async function tagDisks(stores: VmDatastores, vm: Vm, id: string): Promise<void> {
  await forEachImage(stores, vm.disks, (path) => change(path, "-c", snapshotTag(id)));
}

/** Makes the disks what they were. Again, after it was cut off, it completes it. */
export async function applyTag(stores: VmDatastores, vm: Vm, id: string): Promise<void> {
  await forEachImage(stores, vm.disks, (path) => change(path, "-a", snapshotTag(id)));
}

/** An image that has none stays as it is. */
export async function removeTag(stores: VmDatastores, vm: Vm, id: string): Promise<void> {
  await forEachImage(stores, vm.disks, (path) => removeTags(path, (tag) => tag === snapshotTag(id)));
}

/** Takes from an image what a VM's snapshots have put into it. @param path absolute */
export async function removeTags(path: string, which: (tag: string) => boolean): Promise<void> {
  for (const { tag } of await tagsIn(path)) if (which(tag)) await change(path, "-d", tag);
}

/** Whether a tag is of a VM's snapshot. */
export const isSnapshotTag = (tag: string): boolean => /^godwit-[0-9a-f-]{36}$/.test(tag);

async function forEachImage(
  stores: VmDatastores,
  disks: readonly VmDisk[],
  act: (path: string) => Promise<void>,
): Promise<void> {
  for (const disk of stores.files(disks)) if (disk.format === "qcow2") await act(stores.pathOf(disk));
}

async function tagsIn(path: string): Promise<ImageTag[]> {
  const { stdout } = await qemuImg(
    path,
    ["info", "--output=json", asQcow2(path)],
    "reading the snapshots of",
  );
  const info = infoSchema.safeParse(parseJson(stdout));
  if (!info.success) throw new Error(`what qemu-img tells of ${path} is not about an image`);
  return info.data.snapshots.map((one) => ({ tag: one.name, hasMemory: one["vm-state-size"] > 0 }));
}

async function change(path: string, how: "-c" | "-a" | "-d", tag: string): Promise<void> {
  await qemuImg(path, ["snapshot", "-q", how, tag, asQcow2(path)], "changing the snapshots of");
}

/** What its header names beside is not opened, and its format is not guessed. */
const asQcow2 = (filename: string): string =>
  `json:${JSON.stringify({ driver: "qcow2", backing: null, file: { driver: "file", filename } })}`;

/** @throws PROGRAM_FAILED, DISK_IN_USE while a QEMU has it open */
async function qemuImg(path: string, words: string[], what: string): Promise<{ stdout: string }> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const { uid, gid, size } = await file.stat().finally(() => file.close());
  const [program = "", ...args] = [
    ...limitedAs({ uid, gid }, size + besideBytes, { cpuSeconds }),
    ...["qemu-img", ...words],
  ];
  return await run(program, args, { what: `${what} ${path}`, timeoutMs: limitMs });
}
