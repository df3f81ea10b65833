/**
 * An image of another format, or inside an archive, becomes a VM's disk. It may come from anybody: what it refers to is read
 * first, by Godwit itself, and `qemu-img` converts it as QEMU's user with next to nothing that it could reach. What comes out
 * refers to nothing.
 */
import { open } from "node:fs/promises";
import { GodwitError } from "@godwit/contract";
import { limitedAs, run, type UserIds } from "@godwit/system";
import { fileNode, type ImageSource, type ImageToConvert, type ImageToRead } from "./image-source.ts";
import { firstUnopenable } from "./disk-owner.ts";
import { openInside } from "./copy-file.ts";
import { watchCopy, watchDevice } from "./copy-progress.ts";
import type { DisksToMake } from "./disks-to-make.ts";
import { headerBytes, imageHeader } from "./image-header.ts";
import { virtualBytesIn } from "./image-info.ts";
import { vmdkSource } from "./vmdk-image.ts";
import { mostExtents } from "./vmdk.ts";

/** An image may be large, and the storage slow. */
const limitMs = 12 * 3600 * 1000;
const limits = { cpuSeconds: limitMs / 1000, openFiles: mostExtents + 64 };
/**
 * The kernel kills a program when whoever started it ends, and what `limitedAs` starts in it goes with it: an agent that is started
 * again finds none at work on a volume.
 */
export const endsWithParent = ["setpriv", "--pdeathsig", "KILL", "--"];
/** Room that stays on the datastore: other VMs write there, too. */
const spareBytes = 64 * 1048576;

/** @throws DISK_NOT_OWN, DISK_PERMISSION_DENIED, IMAGE_FORMAT_DIFFERS, IMAGE_IS_SNAPSHOT, IMAGE_REFERS_ELSEWHERE, IMAGE_UNREADABLE, SPACE_SHORT, PROGRAM_MISSING */
export async function convertImage(convert: ImageToConvert): Promise<void> {
  const read = await readImage(convert);
  await convertToFile(placeOf(convert), convert, read, await allocatedBytes(convert));
}

/** Whose image is converted, for whom. */
export interface ImagePlace {
  vm: string;
  disk: string;
  /** For people. */
  path: string;
  user: UserIds;
}

const placeOf = ({ vm, disk, from, image, user }: ImageToRead): ImagePlace => ({
  ...{ vm, disk, path: from.resolve(image), user },
});

/** @param totalBytes that are to be copied, about. @throws IMAGE_UNREADABLE, SPACE_SHORT, PROGRAM_MISSING; the signal's reason */
export async function convertToFile(
  place: ImagePlace,
  {
    to,
    target,
    format,
    onCopy,
    signal,
  }: Pick<ImageToConvert, "to" | "target" | "format" | "onCopy" | "signal">,
  { name, what, virtualBytes }: ReadImage,
  totalBytes: number,
): Promise<void> {
  const { disk, user } = place;
  const { freeBytes } = await to.space();
  const roomBytes = Math.max(0, freeBytes - spareBytes);
  const short = (cause?: unknown) =>
    GodwitError.of("SPACE_SHORT", { path: to.config.path, neededBytes: virtualBytes, freeBytes }, { cause });
  // A raw disk may be written to in full at any time, and a qcow2 image takes what it has to hold.
  if (format === "raw" && virtualBytes > roomBytes) throw short();
  // qemu-img may write to it, and to nothing else.
  await using file = await open(target, "wx", 0o600);
  await file.chown(user.uid, user.gid);
  using _watch = watchCopy(target, { disk, totalBytes }, onCopy);
  const most = format === "raw" ? virtualBytes : roomBytes;
  const words = ["convert", "-t", "writeback", "-O", format, name, target];
  await qemuImg(place, most, words, what, signal).catch((error: unknown) => {
    if (/No space left|File too large|file size limit/i.test(String(error))) throw short(error);
    throw error;
  });
  // `qemu-img` does not look at what its last flush says, as on NFS that is full. This descriptor was open before, so the kernel reports it here.
  await file.sync().catch((error: unknown) => {
    throw ["ENOSPC", "EDQUOT"].includes((error as NodeJS.ErrnoException).code ?? "") ? short(error) : error;
  });
}

/** What is to be converted, as `qemu-img` names it. */
export interface ReadImage {
  name: string;
  what: string;
  virtualBytes: number;
}

/** @throws DISK_NOT_OWN, DISK_PERMISSION_DENIED, IMAGE_FORMAT_DIFFERS, IMAGE_IS_SNAPSHOT, IMAGE_REFERS_ELSEWHERE, IMAGE_UNREADABLE, PROGRAM_MISSING */
export async function readImage(convert: ImageToRead): Promise<ReadImage> {
  const { vm, disk, host, from, image, user } = convert;
  const path = from.resolve(image);
  const source = await sourceOf(convert);
  const readable = source.files.map((file) => ({ path: file, how: "r" as const }));
  const refused = await firstUnopenable(readable, vm, user);
  if (refused !== null)
    throw GodwitError.of("DISK_PERMISSION_DENIED", {
      ...{ vm, what: `the image of disk ${disk}`, path: refused.path, host, uid: user.uid, sourceUid: null },
      reason: refused.reason,
    });
  const name = `json:${JSON.stringify(source.node)}`;
  const what = `converting ${path} to disk ${disk} of VM ${vm}`;
  return await measureImage(placeOf(convert), name, what);
}

/** @param name of what is to be converted, as `qemu-img` takes it. @throws IMAGE_UNREADABLE, PROGRAM_MISSING */
export async function measureImage(place: ImagePlace, name: string, what: string): Promise<ReadImage> {
  const asked = await qemuImg(place, 0, ["info", "--output=json", name], what);
  return { name, what, virtualBytes: virtualBytesIn(asked) };
}

/** Onto a block device that is the user's, large enough, and full of zeros. @throws IMAGE_UNREADABLE, PROGRAM_MISSING; the signal's reason */
export async function convertOnto(
  device: string,
  place: ImagePlace,
  { name, what, virtualBytes }: ReadImage,
  { onCopy = () => undefined, signal }: Pick<DisksToMake, "onCopy" | "signal">,
): Promise<void> {
  const onto = ["convert", "-n", "--target-is-zero", "-t", "none", "-O", "raw", name, device];
  using _watch = await watchDevice(device, { disk: place.disk, totalBytes: virtualBytes }, onCopy);
  await qemuImg(place, virtualBytes, onto, what, signal);
}

/** @throws IMAGE_UNREADABLE, PROGRAM_MISSING */
async function qemuImg(
  { vm, disk, path, user }: ImagePlace,
  mostFileBytes: number,
  words: readonly string[],
  what: string,
  signal?: AbortSignal,
): Promise<string> {
  const [program = "", ...args] = [
    ...[...endsWithParent, ...limitedAs(user, mostFileBytes, limits)],
    ...["qemu-img", ...words],
  ];
  try {
    return (
      // `unshare` does not end for less while it waits for its program.
      (
        await run(program, args, {
          ...{ what, timeoutMs: limitMs, killSignal: "SIGKILL" },
          ...(signal === undefined ? {} : { signal }),
        })
      ).stdout
    );
  } catch (error) {
    if (!GodwitError.is(error, "PROGRAM_FAILED")) throw error;
    const reason = String(error.problem.details.output)
      .replace(/^qemu-img: /, "")
      .replace(/'?json:\{.*\}'?/s, "it")
      .replace(/\.$/, "");
    throw GodwitError.of("IMAGE_UNREADABLE", { vm, disk, path, reason }, { cause: error });
  }
}

/** @throws DISK_NOT_OWN, IMAGE_FORMAT_DIFFERS, IMAGE_IS_SNAPSHOT, IMAGE_REFERS_ELSEWHERE, IMAGE_UNREADABLE */
async function sourceOf(convert: ImageToRead): Promise<ImageSource> {
  const { vm, disk, from, image, imageFormat, part } = convert;
  const path = from.resolve(image);
  await using file = await openInside(from, image, { vm, disk });
  const { buffer, bytesRead } = await file.read(Buffer.alloc(headerBytes), 0, headerBytes, part?.offset ?? 0);
  const header = imageHeader(buffer.subarray(0, bytesRead));
  // A fixed VHD has its footer only at its end.
  const isFixedVhd = imageFormat === "vpc" && header.format === "raw";
  if (header.format !== imageFormat && !isFixedVhd)
    throw GodwitError.of("IMAGE_FORMAT_DIFFERS", {
      vm,
      disk,
      path,
      declared: imageFormat,
      found: header.format,
    });
  if (header.refersTo !== null)
    throw GodwitError.of("IMAGE_REFERS_ELSEWHERE", { vm, disk, path, refersTo: header.refersTo });
  if (imageFormat === "vmdk") return await vmdkSource(convert, file);
  const noBacking = imageFormat === "qcow2" ? { backing: null } : {};
  return { node: { driver: imageFormat, ...noBacking, file: fileNode(path, part) }, files: [path] };
}

async function allocatedBytes({ from, image, part, vm, disk }: ImageToConvert): Promise<number> {
  if (part !== undefined) return part.bytes;
  await using file = await openInside(from, image, { vm, disk });
  return (await file.stat()).blocks * 512;
}
