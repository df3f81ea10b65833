/** The image of a linked disk: what its VM has written since it was linked, in an image whose header names the base beside it. */
import { basename, dirname, join } from "node:path";
import { chmod, rename, rm, stat } from "node:fs/promises";
import {
  diskBaseOf,
  GodwitError,
  imagePathSchema,
  storedBus,
  type DiskBase,
  type VmDisk,
} from "@godwit/contract";
import { limitedAs, run, syncFolder, type UndoStack, type UserIds } from "@godwit/system";
import { copyFile, giveTo, openInside } from "./copy-file.ts";
import type { Datastore } from "./datastore.ts";
import { baseAt, linkFile, protectBase } from "./disk-base.ts";
import { isSnapshotTag, removeTags } from "./disk-snapshots.ts";
import type { DescribedDisk, DisksToMake } from "./disks-to-make.ts";
import { virtualBytesIn } from "./image-info.ts";
import { imageName } from "./image-node.ts";
import { inspectImage } from "./inspect-image.ts";
import type { VmDatastores } from "./vm-datastores.ts";

const infoLimitMs = 15_000;

/** The VM's disk that is copied; null: the image is none of a VM's. */
export const copiedDisk = (
  { imagesOf }: Pick<DisksToMake, "imagesOf">,
  { image, imageDatastore: datastore }: Pick<DescribedDisk, "image" | "imageDatastore">,
): VmDisk | null =>
  imagesOf?.disks?.find((one) => one.path === image && (one.datastore ?? imagesOf.datastore) === datastore) ??
  null;

/**
 * A new disk that is linked: to an image of the library, or to the base of a disk of the VM that is copied, whose image is copied.
 * @param path of the disk, relative to its datastore
 * @throws DISK_NOT_LINKABLE, DISK_EXISTS, IMAGE_LARGER, and what the inspection of an image throws
 */
export async function makeLinked(
  stores: VmDatastores,
  make: DisksToMake,
  disk: DescribedDisk & { image: string },
  path: string,
  undo: UndoStack,
): Promise<Omit<VmDisk, "datastore">> {
  const { vm } = make;
  const { name, image, format, bus } = disk;
  const store = stores.named(disk.datastore);
  const refused = (reason: "elsewhere" | "format" | "file", what: string) =>
    GodwitError.of("DISK_NOT_LINKABLE", { vm, disk: name, reason, what });
  const { imageDatastore } = disk;
  if (imageDatastore !== undefined && imageDatastore !== store.config.name)
    throw refused("elsewhere", imageDatastore);
  const copied = copiedDisk(make, disk);
  if (copied === null) {
    const { imageFormat = format } = disk;
    if (!imagePathSchema.safeParse(image).success) throw refused("file", image);
    if (imageFormat !== "qcow2" && imageFormat !== "raw") throw refused("format", imageFormat);
    const base = diskBaseOf(vm, name, imageFormat);
    await linkFile(store, { from: image, to: base.path }, { vm, disk: name }, undo);
    await newOverlay(store, make, disk, { path, base }, undo);
    return { name, path, format, taken: false, base, ...storedBus(bus) };
  }
  if (copied.base === undefined) throw new TypeError(`disk ${name} of the VM that is copied has no base`);
  const base = diskBaseOf(vm, name, copied.base.format);
  await linkFile(store, { from: copied.base.path, to: base.path }, { vm, disk: name }, undo);
  await copyOverlay(store, make, disk, { path, base }, undo);
  return { name, path, format, taken: false, base, ...storedBus(bus) };
}

/** Where a linked disk comes to lie, on its datastore. */
interface LinkedPlace {
  path: string;
  base: DiskBase;
}

async function newOverlay(
  store: Datastore,
  { vm, user }: DisksToMake,
  { name: disk, image, sizeMib }: DescribedDisk & { image: string },
  { path, base }: LinkedPlace,
  undo: UndoStack,
): Promise<void> {
  const at = store.resolve(base.path);
  await protectBase(at);
  await inspectImage({
    ...{ vm, disk, path: store.resolve(image), at, format: base.format, user },
    state: "new",
  });
  const baseBytes = await virtualBytesOf(
    baseAt(store, base) ?? base,
    user,
    `looking at the image of disk ${disk} of VM ${vm}`,
  );
  const sizeBytes = sizeMib === undefined ? baseBytes : sizeMib * 1048576;
  if (sizeBytes < baseBytes)
    throw GodwitError.of("IMAGE_LARGER", { vm, disk, path: store.resolve(image), sizeMib: sizeMib ?? 0 });
  const target = store.resolve(path);
  undo.push("remove the new disk", () => rm(target, { force: true }));
  await createOverlay(target, { vm, disk, base, sizeBytes, user });
}

async function copyOverlay(
  store: Datastore,
  { vm, user, onCopy = () => undefined, signal }: DisksToMake,
  { name: disk, image }: DescribedDisk & { image: string },
  { path, base }: LinkedPlace,
  undo: UndoStack,
): Promise<void> {
  const [source, target] = [store.resolve(image), store.resolve(path)];
  const beside = store.resolve(`${vm}/.${basename(path)}.copy`);
  undo.push("remove the unfinished copy", () => rm(beside, { force: true }));
  await rm(beside, { force: true });
  await using file = await openInside(store, image, { vm, disk });
  const copy = { file, source, to: store, target: beside, disk, onCopy };
  await copyFile({ ...copy, ...(signal === undefined ? {} : { signal }) });
  signal?.throwIfAborted();
  await giveTo(user, beside);
  const inspected = { vm, disk, format: "qcow2" as const, user, state: "new" as const, base };
  await inspectImage({ ...inspected, path: source, at: beside });
  // The snapshots of a VM that is copied are not the copy's.
  await removeTags(beside, isSnapshotTag);
  await rename(beside, target);
  undo.push("remove the copy", () => rm(target, { force: true }));
}

export interface Overlay {
  vm: string;
  disk: string;
  /** Beside it, from now on named by its header. */
  base: DiskBase;
  /** Not less than the base's: behind its end nothing of it may come to light. */
  sizeBytes: number;
  /** Whose it becomes. */
  user: UserIds;
}

/** An image in which nothing is written yet, durable when it returns. The base is not opened. @param target absolute */
export async function createOverlay(
  target: string,
  { vm, disk, base, sizeBytes, user }: Overlay,
): Promise<void> {
  await rm(target, { force: true });
  const backing = ["-u", "-b", basename(base.path), "-F", base.format];
  await run("qemu-img", ["create", "-q", "-f", "qcow2", ...backing, target, String(sizeBytes)], {
    what: `creating the image of disk ${disk} of VM ${vm}`,
  });
  await chmod(target, 0o600);
  await giveTo(user, target);
  await syncFolder(dirname(target));
}

/** What a guest would see of an image that is complete in itself. @param path absolute @throws PROGRAM_FAILED */
export async function virtualBytesOf(
  { path, format }: { path: string; format: VmDisk["format"] },
  user: UserIds,
  what: string,
): Promise<number> {
  const name = imageName({ path, format, base: null });
  const [program = "", ...args] = [
    ...limitedAs(user),
    ...["qemu-img", "info", "--output=json", "--force-share", name],
  ];
  return virtualBytesIn((await run(program, args, { what, timeoutMs: infoLimitMs })).stdout);
}

/** What an image takes on its storage, with its base, bytes. */
export async function usedBytesOf(path: string, base: DiskBase | undefined): Promise<number> {
  const files = [path, ...(base === undefined ? [] : [join(dirname(path), basename(base.path))])];
  const used = files.map(async (file) => (await stat(file)).blocks * 512);
  return (await Promise.all(used)).reduce((sum, bytes) => sum + bytes, 0);
}
