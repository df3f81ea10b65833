/**
 * A new VM's disk as a volume on a LUN: empty, or a copy of an image, which is converted to raw onto it. The volume's name has the
 * VM's id, so what an earlier attempt to make this VM left is known, and made again from zeros.
 */
import { rm, stat } from "node:fs/promises";
import { GodwitError, mostVolumeNameLength, storedBus, volumePath, type VmDisk } from "@godwit/contract";
import type { UndoStack, UserIds } from "@godwit/system";
import { convertOnto, readImage, type ReadImage } from "./convert-image.ts";
import { openInside } from "./copy-file.ts";
import type { VolumeGroup } from "./datastores/volume-group.ts";
import type { DescribedDisk, DisksToMake } from "./disks-to-make.ts";
import { mustHaveChecksum } from "./image-checksum.ts";
import { readDisk } from "./flatten-image.ts";
import type { ImageToRead } from "./image-source.ts";
import { copiedDisk } from "./linked-image.ts";
import type { VolumeOnLun } from "./luns/lvm.ts";
import { usingVolume, volumeImageOf } from "./volume-image.ts";
import type { VmDatastores } from "./vm-datastores.ts";

/** @throws DISK_NOT_OWN, SPACE_SHORT, LUN_METADATA_LOCKED, IMAGE_CHECKSUM_DIFFERS, and what the conversion of an image throws */
export async function makeVolume(
  store: VolumeGroup,
  stores: VmDatastores,
  make: DisksToMake,
  disk: DescribedDisk,
  undo: UndoStack,
): Promise<VmDisk> {
  const { id, vm } = make;
  const copied = copiedDisk(make, disk);
  const linked = copied?.base === undefined ? null : stores.imageOf(copied);
  // Of a linked disk the image is read by its owner.
  const user = linked === null ? make.user : await ownerOf(linked.path, make.user);
  const { name, image, format, sizeMib = 0, bus } = disk;
  const path = volumePath(id, name);
  const problem = problemOf(disk, store.name, make.imagesOf !== undefined);
  if (problem !== null)
    throw GodwitError.of("DISK_NOT_OWN", { vm, disk: name, path: image ?? path, reason: problem });
  const of = { vm: { id, name: vm }, disk: { name, path } };
  const volume = volumeImageOf(stores, make, disk);
  const fill = async (read: ReadImage | null, from: string): Promise<void> => {
    const mib = Math.max(sizeMib, Math.ceil((read?.virtualBytes ?? 0) / 1048576));
    let made: VolumeOnLun | undefined;
    undo.push("remove the volume", () => store.remove(of, made));
    const { signal } = make;
    const device = await store.make(of, mib, user, { onMade: (one) => (made = one), signal });
    if (read !== null) await convertOnto(device, { vm, disk: name, path: from, user }, read, make);
    signal?.throwIfAborted();
  };
  if (volume !== null) await usingVolume(volume, user, (read) => fill(read, volume.path));
  else if (image === undefined) await fill(null, "");
  else if (linked !== null) {
    const place = { vm, disk: name, path: linked.path, user };
    const what = `copying ${linked.path} to disk ${name} of VM ${vm}`;
    await fill(await readDisk(place, linked, what), linked.path);
  } else {
    const beside = stores.own.resolve(`${vm}/.${name}.vmdk`);
    undo.push("remove the descriptor of the image", () => rm(beside, { force: true }));
    const source = imageOf(stores, make, { ...disk, image }, beside);
    const read = await readSource(source, disk.imageChecksum, make.signal);
    await fill(read, source.from.resolve(image));
    await rm(beside, { force: true });
  }
  await store.detach(of);
  return { name, datastore: store.name, path, format, taken: false, ...storedBus(bus) };
}

async function ownerOf(path: string, otherwise: UserIds): Promise<UserIds> {
  const { uid, gid } = await stat(path);
  return uid === 0 ? otherwise : { uid, gid };
}

function problemOf(
  { name, image, imageDatastore, take, format }: DescribedDisk,
  datastore: string,
  isCopied: boolean,
): string | null {
  const on = `on LUN datastore ${datastore}`;
  if (format !== "raw") return `${on} a disk is a raw volume: format: raw`;
  if (take === true) return `${on} no image is taken over: without take it is copied`;
  if (name.length > mostVolumeNameLength)
    return `${on} the name of a disk has at most ${String(mostVolumeNameLength)} characters`;
  if (image !== undefined && !isCopied && (imageDatastore === undefined || imageDatastore === datastore))
    return `${on} there are no images: name where the image lies: imageDatastore`;
  return null;
}

const imageOf = (
  stores: VmDatastores,
  { vm, host, user }: DisksToMake,
  { name, image, imageDatastore, imageFormat = "raw", imagePart: part }: DescribedDisk & { image: string },
  beside: string,
): ImageToRead => {
  const from = stores.named(imageDatastore);
  return { vm, disk: name, host, from, image, imageFormat, part, beside, user };
};

async function readSource(
  source: ImageToRead,
  checksum: string | undefined,
  signal: AbortSignal | undefined,
): Promise<ReadImage> {
  const { vm, disk, from, image, part } = source;
  if (checksum !== undefined) {
    await using file = await openInside(from, image, { vm, disk });
    await mustHaveChecksum(file, checksum, part, { vm, disk, path: from.resolve(image) }, signal);
  }
  return await readImage(source);
}
