/**
 * The files of a disk's move to another datastore. What goes on is written beside `vm.json` before the target is made, so whoever
 * comes after a crash knows which file is a copy that nobody uses. Which of the two images is the VM's is said by `vm.json` alone.
 */
import { chmod, rm } from "node:fs/promises";
import { dirname } from "node:path";
import {
  diskBaseOf,
  diskBaseSchema,
  GodwitError,
  isBlockPath,
  nameSchema,
  type ImageCopy,
  type Vm,
  type VmDisk,
} from "@godwit/contract";
import { run, syncFolder, UndoStack, type UserIds } from "@godwit/system";
import { z } from "zod";
import { copyFile, giveTo, openInside } from "./copy-file.ts";
import type { Datastore } from "./datastore.ts";
import { baseAt, removeImage } from "./disk-base.ts";
import { claimDiskFolder, releaseDiskFolder } from "./disk-folder.ts";
import { flattenImage } from "./flatten-image.ts";
import { usedBytesOf } from "./linked-image.ts";
import type { VmDatastores } from "./vm-datastores.ts";
import { isDiskPath } from "./vm-file.ts";
import { VmNote } from "./vm-note.ts";

/** Of a qcow2 image's own tables, and for what the guest writes while it is copied. */
const besideBytes = 64 * 1024 * 1024;

const placeSchema = z.object({ datastore: nameSchema, path: z.string().max(300) });
const relocationSchema = z.object({
  version: z.literal(1),
  disk: nameSchema,
  from: placeSchema,
  to: placeSchema,
  /** Of the image at the old place; the new one is complete in itself. Absent: so is the old one. */
  base: diskBaseSchema.optional(),
});
/** One disk's move. Paths are relative to their datastores. */
export type Relocation = z.infer<typeof relocationSchema>;

/** Where a disk is to lie. @throws DISK_IS_LUN */
export function relocationOf(vm: Vm, disk: VmDisk, to: string): Relocation {
  const { name, format, path, datastore = vm.datastore, base } = disk;
  if (isBlockPath(path)) throw GodwitError.of("DISK_IS_LUN", { vm: vm.name, disk: name, datastore });
  return {
    version: 1,
    disk: name,
    from: { datastore, path },
    to: { datastore: to, path: `${vm.name}/${name}.${format}` },
    ...(base === undefined ? {} : { base }),
  };
}

/** What `vm.json` names as the disk's image; null: neither of the two. Pure. */
export function describedImage(vm: Vm, { disk: name, from, to }: Relocation): "source" | "target" | null {
  const disk = vm.disks.find((one) => one.name === name);
  const isAt = ({ datastore, path }: Relocation["from"]) =>
    disk?.path === path && (disk.datastore ?? vm.datastore) === datastore;
  return isAt(to) ? "target" : isAt(from) ? "source" : null;
}

/** The VM with the disk at the one place or the other. Pure. */
export function describeAt(vm: Vm, relocation: Relocation, image: "source" | "target"): Vm {
  const { datastore: on, path } = image === "source" ? relocation.from : relocation.to;
  return {
    ...vm,
    disks: vm.disks.map((disk) => {
      if (disk.name !== relocation.disk) return disk;
      const { datastore: _, base: _base, ...rest } = disk;
      const base = image === "source" && relocation.base !== undefined ? { base: relocation.base } : {};
      return { ...rest, ...(on === vm.datastore ? {} : { datastore: on }), path, ...base };
    }),
  };
}

const notes = new VmNote(
  ".godwit-relocation",
  relocationSchema,
  ({ disk, from, to, base }, vm) =>
    [from, to].every(({ path }) => isDiskPath(path, vm)) &&
    (base === undefined || base.path === diskBaseOf(vm, disk, base.format).path),
);

/** Null: none goes on. */
export const readRelocation = async (home: Datastore, vm: string): Promise<Relocation | null> =>
  await notes.read(home, vm);

/**
 * Notes what is to be done, and makes the folder on the target's datastore the VM's.
 * @throws DISK_FOLDER_TAKEN, DISK_EXISTS, SPACE_SHORT
 */
export async function beginRelocation(stores: VmDatastores, vm: Vm, relocation: Relocation): Promise<void> {
  const { disk, from, to } = relocation;
  const [source, target] = [stores.named(from.datastore), stores.named(to.datastore)];
  const isRetry = await isNoted(stores.own, vm.name, relocation);
  if (!isRetry && (await target.look(to.path)) !== "missing")
    throw GodwitError.of("DISK_EXISTS", { vm: vm.name, disk, path: target.resolve(to.path) });
  if (isRetry) await rm(target.resolve(to.path), { force: true });
  const neededBytes = (await usedBytesOf(source.resolve(from.path), relocation.base)) + besideBytes;
  const { freeBytes } = await target.space();
  if (freeBytes < neededBytes)
    throw GodwitError.of("SPACE_SHORT", { path: target.config.path, neededBytes, freeBytes });
  await using undo = new UndoStack(() => undefined);
  if (target !== stores.own) await claimDiskFolder(target, vm, undo);
  await notes.write(stores.own, vm.name, relocation);
  undo.commit();
}

const isNoted = async (home: Datastore, vm: string, relocation: Relocation): Promise<boolean> =>
  JSON.stringify(await readRelocation(home, vm)) === JSON.stringify(relocation);

export interface TargetToMake {
  vm: Vm;
  relocation: Relocation;
}

/** A new image of the disk's size, for a QEMU to copy to. @returns its absolute path */
export async function makeTarget(
  stores: VmDatastores,
  { vm, relocation }: TargetToMake,
  { sizeBytes, user }: { sizeBytes: number; user: UserIds },
): Promise<string> {
  const { disk: name, to } = relocation;
  const format = vm.disks.find((disk) => disk.name === name)?.format ?? "qcow2";
  const path = stores.named(to.datastore).resolve(to.path);
  await rm(path, { force: true });
  await run("qemu-img", ["create", "-q", "-f", format, path, String(sizeBytes)], {
    what: `creating the new image of disk ${name} of VM ${vm.name}`,
  });
  await chmod(path, 0o600);
  await giveTo(user, path);
  await syncFolder(dirname(path));
  return path;
}

/** The image of a VM that does not run, as it is; of a linked disk complete in itself. @throws SPACE_SHORT, DISK_NOT_OWN, IMAGE_UNREADABLE; the signal's reason */
export async function copyToTarget(
  stores: VmDatastores,
  { vm, relocation }: TargetToMake,
  { onCopy, signal }: { onCopy: (progress: ImageCopy) => void; signal: AbortSignal },
): Promise<void> {
  const { disk, from, to, base } = relocation;
  const [source, target] = [stores.named(from.datastore), stores.named(to.datastore)];
  const path = target.resolve(to.path);
  if (base !== undefined) {
    await rm(path, { force: true });
    const image = { path: source.resolve(from.path), format: "qcow2" as const, base: baseAt(source, base) };
    await flattenImage({ vm: vm.name, disk, image }, { to: target, target: path, onCopy, signal });
    await syncFolder(dirname(path));
    return;
  }
  await using file = await openInside(source, from.path, { vm: vm.name, disk });
  await rm(path, { force: true });
  await copyFile({ file, source: source.resolve(from.path), to: target, target: path, disk, onCopy, signal });
  await giveTo(await file.stat(), path);
  await syncFolder(dirname(path));
}

/**
 * Ends a move: the image that `vm.json` does not name is removed, with the note of the move. Where it names neither, somebody has
 * changed it by hand, and both stay.
 */
export async function endRelocation(stores: VmDatastores, vm: Vm, relocation: Relocation): Promise<void> {
  const described = describedImage(vm, relocation);
  if (described === null) {
    await notes.remove(stores.own, vm.name);
    return;
  }
  const { datastore, path } = described === "target" ? relocation.from : relocation.to;
  const { base } = described === "target" ? relocation : { base: undefined };
  const store = stores.named(datastore);
  await removeImage(store, { path, base });
  const isUsed = vm.disks.some((disk) => (disk.datastore ?? vm.datastore) === datastore);
  if (!isUsed && store !== stores.own) await releaseDiskFolder(store, vm);
  await notes.remove(stores.own, vm.name);
}
