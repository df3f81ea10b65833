/**
 * The images that become a new VM's disks: made empty, copied from an image, or taken over where the owner says so. None
 * is put over a file that is there. A copy is made under another name, inspected, and gets its own name when it is whole.
 */
import { rename, rm, stat } from "node:fs/promises";
import { GodwitError, storedBus, type VmDisk } from "@godwit/contract";
import { run, type UndoStack } from "@godwit/system";
import { convertImage, convertToFile } from "./convert-image.ts";
import { copyFile, giveTo, openInside } from "./copy-file.ts";
import type { Datastore } from "./datastore.ts";
import type { LunStore } from "./datastores/lun-store.ts";
import { VolumeGroup } from "./datastores/volume-group.ts";
import type { DescribedDisk, DisksToMake } from "./disks-to-make.ts";
import { claimDiskFolder, isDiskFolderOf } from "./disk-folder.ts";
import { baseAt } from "./disk-base.ts";
import { isSnapshotTag, removeTags } from "./disk-snapshots.ts";
import { flattenImage } from "./flatten-image.ts";
import { growImage } from "./grow-image.ts";
import { mustHaveChecksum } from "./image-checksum.ts";
import { inspectImage } from "./inspect-image.ts";
import { copiedDisk, makeLinked } from "./linked-image.ts";
import { makeVolume } from "./volume-disk.ts";
import { usingVolume, volumeImageOf, type VolumeImage } from "./volume-image.ts";
import type { VmDatastores } from "./vm-datastores.ts";

/** @throws DISK_FOLDER_TAKEN, DISK_EXISTS, DISK_MISSING, DISK_IN_USE, DISK_NOT_OWN, SPACE_SHORT, IMAGE_CHECKSUM_DIFFERS, and what the inspection and the conversion of an image throw */
export async function makeDisks(stores: VmDatastores, make: DisksToMake, undo: UndoStack): Promise<VmDisk[]> {
  const retries = new Map([[stores.own, make.isRetry]]);
  const disks: VmDisk[] = [];
  for (const disk of make.disks) {
    const { name, format } = disk;
    const block = stores.blockStoreOf(disk);
    if (block !== null) {
      disks.push(
        block instanceof VolumeGroup
          ? await makeVolume(block, stores, make, disk, undo)
          : await takeLun(block, make, disk),
      );
      continue;
    }
    const store = stores.named(disk.datastore);
    const folder = { id: make.id, name: make.vm };
    const keepsFolder = make.keepsFolders === true && (await isDiskFolderOf(store, folder));
    const isRetry = retries.get(store) ?? (keepsFolder || (await claimDiskFolder(store, folder, undo)));
    retries.set(store, isRetry);
    const path = `${make.vm}/${name}.${format}`;
    // One that lies there already can only be taken over.
    const taken = isTaken(disk, path);
    const exists = (await store.look(path)) !== "missing";
    if (exists && !isRetry && !(taken && disk.image === path))
      throw GodwitError.of("DISK_EXISTS", { vm: make.vm, disk: name, path: store.resolve(path) });
    if (taken && disk.sizeMib !== undefined)
      throw GodwitError.of("DISK_NOT_OWN", {
        ...{ vm: make.vm, disk: name, path: store.resolve(path) },
        reason: "an image that is the disk already is not grown",
      });
    if (disk.linked === true && disk.image !== undefined) {
      const made = await makeLinked(stores, make, { ...disk, image: disk.image }, path, undo);
      const elsewhere = store === stores.own ? {} : { datastore: store.config.name };
      disks.push({ ...made, ...elsewhere });
      continue;
    }
    if (disk.image === undefined) await makeEmpty(store, make, disk, path, undo);
    else if (taken) await takeOver(store, make, { ...disk, image: disk.image }, path, undo);
    else {
      const from = volumeImageOf(stores, make, disk) ?? stores.named(disk.imageDatastore ?? disk.datastore);
      await copy({ from, to: store }, make, { ...disk, image: disk.image }, path, undo);
    }
    const elsewhere = store === stores.own ? {} : { datastore: store.config.name };
    disks.push({ name, ...elsewhere, path, format, taken, ...storedBus(disk.bus) });
  }
  return disks;
}

/** @throws DISK_NOT_OWN, and what `LunStore.probe` throws */
async function takeLun(
  store: LunStore,
  { vm, user }: DisksToMake,
  { name, image = "", take, format, bus }: DescribedDisk,
): Promise<VmDisk> {
  const named = { vm, disk: name, path: image };
  const refused = (reason: string) => GodwitError.of("DISK_NOT_OWN", { ...named, reason });
  if (image === "")
    throw refused(`on datastore ${store.name} a disk is a LUN, and none is named: image: lun-1`);
  if (take !== true)
    throw refused("nothing is copied from a LUN: with take: true it becomes the disk itself");
  if (format !== "raw") throw refused("a LUN is a raw disk: format: raw");
  await store.probe({ ...named, user });
  return { name, datastore: store.name, path: image, format, taken: true, ...storedBus(bus) };
}

const isTaken = ({ image, imageDatastore, datastore, take }: DescribedDisk, path: string): boolean =>
  take === true || (image === path && (imageDatastore === undefined || imageDatastore === datastore));

async function makeEmpty(
  datastore: Datastore,
  { vm, user }: DisksToMake,
  { name, format, sizeMib = 0 }: DescribedDisk,
  path: string,
  undo: UndoStack,
): Promise<void> {
  const target = datastore.resolve(path);
  await run("qemu-img", ["create", "-q", "-f", format, target, `${String(sizeMib)}M`], {
    what: `creating disk ${name} of VM ${vm}`,
  });
  undo.push("remove the new disk", () => rm(target, { force: true }));
  await giveTo(user, target);
}

async function takeOver(
  datastore: Datastore,
  { vm, user }: DisksToMake,
  { name, format, image }: DescribedDisk & { image: string },
  path: string,
  undo: UndoStack,
): Promise<void> {
  const [source, target] = [datastore.resolve(image), datastore.resolve(path)];
  // Under another name it could be what linked disks read.
  const { nlink } = await stat((await datastore.look(image)) === "missing" ? target : source);
  if (nlink > 1)
    throw GodwitError.of("DISK_NOT_OWN", {
      ...{
        vm,
        disk: name,
        path: source,
        reason: "it has further names (hard links), so it is not taken over",
      },
    });
  // An earlier attempt may have moved it already.
  if (source !== target && (await datastore.look(image)) !== "missing") {
    await rename(source, target);
    undo.push("put the image back", () => rename(target, source));
  }
  const before = await giveTo(user, target);
  undo.push("give the image back", () => giveTo(before, target).then(() => undefined));
  await inspectImage({ vm, disk: name, path: source, at: target, format, user, state: "new" });
}

async function copy(
  stores: { from: Datastore | VolumeImage; to: Datastore },
  make: DisksToMake,
  described: DescribedDisk & { image: string },
  path: string,
  undo: UndoStack,
): Promise<void> {
  const { vm, user } = make;
  const { name, format, image, sizeMib } = described;
  const { from, to } = stores;
  const [source, target] = ["store" in from ? from.path : from.resolve(image), to.resolve(path)];
  const beside = stores.to.resolve(`${vm}/.${name}.${format}.copy`);
  const inspected = { vm, disk: name, format, user, state: "new" as const };
  undo.push("remove the unfinished copy", () => rm(beside, { force: true }));
  await rm(beside, { force: true });
  if ("store" in from) await fillFromVolume(from, to, make, described, beside);
  else await fill({ from, to }, make, described, beside, undo);
  make.signal?.throwIfAborted();
  await giveTo(user, beside);
  await inspectImage({ ...inspected, path: source, at: beside });
  // The snapshots of a VM that is copied are not the copy's.
  if (format === "qcow2") await removeTags(beside, isSnapshotTag);
  if (sizeMib !== undefined) await growImage({ ...inspected, image: source, path: beside, sizeMib });
  await rename(beside, target);
  undo.push("remove the copy", () => rm(target, { force: true }));
}

async function fillFromVolume(
  volume: VolumeImage,
  to: Datastore,
  { vm, user, onCopy = () => undefined, signal }: DisksToMake,
  { name: disk, format }: DescribedDisk,
  target: string,
): Promise<void> {
  const place = { vm, disk, path: volume.path, user };
  await usingVolume(volume, user, async (read) => {
    await convertToFile(place, { to, target, format, onCopy, signal }, read, read.virtualBytes);
  });
}

/** Copies the image as it is, or converts it. */
async function fill(
  { from, to }: { from: Datastore; to: Datastore },
  { vm, user, host, imagesOf, onCopy = () => undefined, signal }: DisksToMake,
  described: DescribedDisk & { image: string },
  target: string,
  undo: UndoStack,
): Promise<void> {
  const { name: disk, format, image, imageFormat = format, imagePart: part, imageChecksum } = described;
  const source = from.resolve(image);
  const copied = copiedDisk({ imagesOf }, { image, imageDatastore: from.config.name });
  if (copied?.base !== undefined) {
    const whole = { path: source, format: copied.format, base: baseAt(from, copied.base) };
    await flattenImage({ vm, disk, image: whole }, { to, target, format, onCopy, signal });
    return;
  }
  await using file = await openInside(from, image, { vm, disk });
  if (imageChecksum !== undefined)
    await mustHaveChecksum(file, imageChecksum, part, { vm, disk, path: source }, signal);
  if (imageFormat !== format || part !== undefined) {
    const beside = to.resolve(`${vm}/.${disk}.vmdk`);
    undo.push("remove the descriptor of the image", () => rm(beside, { force: true }));
    await convertImage({
      vm,
      disk,
      host,
      from,
      image,
      imageFormat,
      part,
      to,
      target,
      beside,
      format,
      user,
      onCopy,
      signal,
    });
    await rm(beside, { force: true });
    return;
  }
  // Nobody may be writing to it. Whether QEMU's user may read it does not matter: the copy is that user's.
  await inspectImage({ vm, disk, format, user, state: "new", path: source }).catch((error: unknown) => {
    const denied = GodwitError.is(error, "IMAGE_UNREADABLE") && /Permission denied/.test(error.message);
    if (!denied) throw error;
  });
  await copyFile({ file, source, to, target, disk, onCopy, ...(signal === undefined ? {} : { signal }) });
}
