/**
 * The image of a disk that comes to a VM, or leaves it. What goes on is written beside `vm.json` before an image is made, and before
 * one is to be deleted, so whoever comes after a crash knows which file nobody uses. Whether the disk is the VM's is said by `vm.json`
 * alone.
 */
import { chmod, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import {
  datastorePathSchema,
  diskBaseOf,
  diskBaseSchema,
  GodwitError,
  isVolumePath,
  lunOf,
  nameSchema,
  volumePath,
  type DiskToAdd,
  type Vm,
  type VmDisk,
} from "@godwit/contract";
import { limitedAs, run, syncFolder, UndoStack, type UserIds } from "@godwit/system";
import { z } from "zod";
import type { Datastore } from "./datastore.ts";
import { VolumeGroup } from "./datastores/volume-group.ts";
import { checkDisk } from "./check-file.ts";
import { removeUnusedBase } from "./disk-base.ts";
import { isDiskFolderOf, releaseDiskFolder } from "./disk-folder.ts";
import { makeDisks } from "./disk-images.ts";
import type { DisksToMake } from "./disks-to-make.ts";
import { forgetLeftVolume } from "./left-volumes.ts";
import { virtualBytesIn } from "./image-info.ts";
import { imageName } from "./image-node.ts";
import type { VmDatastores } from "./vm-datastores.ts";
import { isDiskPath } from "./vm-file.ts";
import { VmNote } from "./vm-note.ts";

/** Of a qcow2 image's own tables. */
const besideBytes = 16 * 1048576;
const infoLimitMs = 15_000;
const resizeLimitMs = 60_000;

const noteSchema = z.object({
  version: z.literal(1),
  disk: nameSchema,
  datastore: nameSchema,
  path: datastorePathSchema,
  /** Absent: the disk is not linked. */
  base: diskBaseSchema.optional(),
});
/** The path is relative to the datastore. */
export type DiskNote = z.infer<typeof noteSchema>;

const notes = new VmNote(
  ".godwit-disk-change",
  noteSchema,
  ({ disk, path, base }, vm) =>
    (isDiskPath(path, vm) || isVolumePath(path)) &&
    (base === undefined || base.path === diskBaseOf(vm, disk, base.format).path),
);

/** Null: none goes on. */
export const readDiskNote = async (home: Datastore, vm: string): Promise<DiskNote | null> =>
  await notes.read(home, vm);

/** Says that the image is to go unless `vm.json` names it. */
export async function noteDisk(
  home: Datastore,
  vm: Vm,
  { name, datastore, path, base }: VmDisk,
): Promise<void> {
  const place = { disk: name, datastore: datastore ?? vm.datastore, path };
  const note: DiskNote = { version: 1, ...place, ...(base === undefined ? {} : { base }) };
  await notes.write(home, vm.name, note);
}

/** From now on the image stays, whether `vm.json` names it or not. */
export async function forgetDiskNote(home: Datastore, vm: string): Promise<void> {
  await notes.remove(home, vm);
}

/**
 * Ends what goes on: an image that `vm.json` does not name is removed, and the note. The caller has opened the note's datastore.
 * @param vm as `vm.json` has it
 */
export async function settleDiskFile(stores: VmDatastores, vm: Vm, note: DiskNote): Promise<void> {
  const { disk, datastore, path } = note;
  const volumes = stores.blockStoreOf({ datastore });
  if (volumes instanceof VolumeGroup) {
    const isNamed = vm.disks.some((one) => one.path === path && one.datastore === datastore);
    if (!isNamed) await volumes.remove({ vm, disk: { name: disk, path } });
    await forgetDiskNote(stores.own, vm.name);
    return;
  }
  const store = stores.named(datastore);
  const isUsed = vm.disks.some((one) => one.path === path && (one.datastore ?? vm.datastore) === datastore);
  const isOwn = store === stores.own || (await isDiskFolderOf(store, vm));
  if (!isUsed && isOwn) {
    const beside = [`.${basename(path)}.copy`, `.${disk}.vmdk`].map((name) => join(dirname(path), name));
    for (const file of [path, ...beside])
      if ((await store.look(file)) === "file") await rm(store.resolve(file), { force: true });
    if (note.base !== undefined) await removeUnusedBase(store, vm, note.base);
  }
  if (isOwn) await releaseUnused(stores, vm, datastore);
  await forgetDiskNote(stores.own, vm.name);
}

/** Takes the mark of a VM's folder away where none of its disks lies. */
export async function releaseUnused(stores: VmDatastores, vm: Vm, datastore: string): Promise<void> {
  if (datastore === vm.datastore || vm.disks.some((disk) => disk.datastore === datastore)) return;
  await releaseDiskFolder(stores.named(datastore), vm);
}

/** Where a new disk's image is to lie, as `vm.json` says it. */
export const placeOfNew = (vm: Vm, disk: DiskToAdd): VmDisk => {
  const { name, format, datastore, linked, imageFormat = format } = disk;
  return {
    ...{ name, path: `${vm.name}/${name}.${format}`, format },
    ...(datastore === undefined || datastore === vm.datastore ? {} : { datastore }),
    ...(linked === true ? { base: diskBaseOf(vm.name, name, imageFormat === "raw" ? "raw" : "qcow2") } : {}),
  };
};

export interface DiskToMake {
  disk: DiskToAdd;
  /** QEMU's. */
  user: UserIds;
  host: string;
  onCopy: DisksToMake["onCopy"];
  /** Ends it while an image is copied. */
  signal: AbortSignal;
}

/**
 * Makes the image of one more disk. Nothing is left of it where that fails.
 * @throws DISK_EXISTS, SPACE_SHORT and what `makeDisks` throws
 */
export async function addDiskImage(stores: VmDatastores, vm: Vm, make: DiskToMake): Promise<VmDisk> {
  const { disk, user, host, onCopy, signal } = make;
  const block = stores.blockStoreOf(disk);
  const isLun = block !== null;
  const place = placeOfNew(vm, disk);
  if (block instanceof VolumeGroup) {
    const path = volumePath(vm.id, disk.name);
    await block.mustBeFree({ vm, disk: { name: disk.name, path } });
    await noteDisk(stores.own, vm, { ...place, path });
    await forgetLeftVolume(stores.own, vm, { ...place, path });
  }
  await using undo = new UndoStack(() => undefined);
  if (!isLun) {
    const store = stores.named(place.datastore);
    await mustHaveSpace(store, disk);
    if (disk.image !== undefined) {
      if (stores.blockStoreOf({ datastore: disk.imageDatastore }) !== null)
        throw GodwitError.of("DATASTORE_WITHOUT_FOLDERS", { datastore: disk.imageDatastore ?? "", host });
      const from = stores.named(disk.imageDatastore ?? disk.datastore);
      await checkDisk(from, { vm: vm.name, disk: disk.name, path: disk.image, host });
    }
    const isThere = (await store.look(place.path)) !== "missing";
    const isOwn = disk.image === place.path && (disk.imageDatastore ?? disk.datastore) === disk.datastore;
    if (isThere && !isOwn)
      throw GodwitError.of("DISK_EXISTS", { vm: vm.name, disk: disk.name, path: store.resolve(place.path) });
    const { base } = place;
    if (base !== undefined && (await store.look(base.path)) !== "missing")
      throw GodwitError.of("DISK_EXISTS", { vm: vm.name, disk: disk.name, path: store.resolve(base.path) });
    if (!isThere) await noteDisk(stores.own, vm, place);
  }
  const options = { id: vm.id, vm: vm.name, disks: [disk], user, host, isRetry: false, onCopy, signal };
  const [made] = await makeDisks(stores, { ...options, keepsFolders: true }, undo);
  if (made === undefined) throw new TypeError("no disk was made");
  if (!isLun) {
    const path = stores.pathOf(made);
    await chmod(path, 0o600);
    await syncFolder(dirname(path));
  }
  undo.commit();
  return made;
}

async function mustHaveSpace(store: Datastore, { format, sizeMib = 0 }: DiskToAdd): Promise<void> {
  const neededBytes = besideBytes + (format === "raw" ? sizeMib * 1048576 : 0);
  const { freeBytes } = await store.space();
  if (freeBytes < neededBytes)
    throw GodwitError.of("SPACE_SHORT", { path: store.config.path, neededBytes, freeBytes });
}

/** Of a VM that does not run: how large the disk is that its image holds. @throws PROGRAM_FAILED */
export async function diskBytes(stores: VmDatastores, vm: Vm, disk: VmDisk, user: UserIds): Promise<number> {
  const [program = "", ...args] = [
    ...limitedAs(user),
    ...["qemu-img", "info", "--output=json", "--force-share", "-f", disk.format, stores.pathOf(disk)],
  ];
  const what = `looking at disk ${disk.name} of VM ${vm.name}`;
  return virtualBytesIn((await run(program, args, { what, timeoutMs: infoLimitMs })).stdout);
}

/** Of a VM that does not run. @throws PROGRAM_FAILED */
export async function growDisk(
  stores: VmDatastores,
  vm: Vm,
  disk: VmDisk,
  { sizeMib, user }: { sizeMib: number; user: UserIds },
): Promise<void> {
  // A qcow2 file has its tables besides.
  const [program = "", ...args] = [
    ...limitedAs(user, sizeMib * 1048576 * 2),
    ...["qemu-img", "resize", "-q", imageName(stores.imageOf(disk)), `${String(sizeMib)}M`],
  ];
  await run(program, args, {
    what: `growing disk ${disk.name} of VM ${vm.name}`,
    timeoutMs: resizeLimitMs,
  });
}

/** Removes the image of a disk that `vm.json` does not name any more. */
export async function removeDiskImage(stores: VmDatastores, vm: Vm, disk: VmDisk): Promise<void> {
  if (lunOf(disk.path) !== null) return;
  await settleDiskFile(stores, vm, {
    ...{ version: 1, disk: disk.name, datastore: disk.datastore ?? vm.datastore, path: disk.path },
    ...(disk.base === undefined ? {} : { base: disk.base }),
  });
}
