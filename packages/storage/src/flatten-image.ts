/**
 * What a VM's disk holds, with its base, becomes an image that is complete in itself. `qemu-img` reads it as its own user in a sandbox,
 * by a block node that says all that it opens. The disk was checked to be the VM's, which does not run.
 */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { ImageCopy, VmDisk } from "@godwit/contract";
import { convertToFile, measureImage, type ImagePlace, type ReadImage } from "./convert-image.ts";
import type { Datastore } from "./datastore.ts";
import { imageName, type ImageOfDisk } from "./image-node.ts";
import { usedBytesOf } from "./linked-image.ts";

export interface ImageToFlatten {
  vm: string;
  disk: string;
  image: ImageOfDisk;
}

export interface FlatTarget {
  to: Datastore;
  /** Absolute; made new, the source's owner's. */
  target: string;
  format?: VmDisk["format"];
  onCopy: (progress: ImageCopy) => void;
  signal?: AbortSignal | undefined;
}

/** @throws SPACE_SHORT, IMAGE_UNREADABLE, PROGRAM_MISSING; the signal's reason */
export async function flattenImage(
  { vm, disk, image }: ImageToFlatten,
  { to, target, format = "qcow2", onCopy, signal }: FlatTarget,
): Promise<void> {
  const { path, base } = image;
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const { uid, gid } = await file.stat().finally(() => file.close());
  const place = { vm, disk, path, user: { uid, gid } };
  const read = await readDisk(place, image, `copying disk ${disk} of VM ${vm}`);
  const totalBytes = await usedBytesOf(path, base ?? undefined);
  await convertToFile(place, { to, target, format, onCopy, signal }, read, totalBytes);
}

/** A disk's image with its base, as something to be converted. @throws IMAGE_UNREADABLE, PROGRAM_MISSING */
export async function readDisk(place: ImagePlace, image: ImageOfDisk, what: string): Promise<ReadImage> {
  // Its size is its own, and `qemu-img info` opens no base.
  const measured = await measureImage(place, imageName({ ...image, base: null }), what);
  return { ...measured, name: imageName(image) };
}
