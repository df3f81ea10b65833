/**
 * An image as it comes into the library: written under a hidden name of this host's, looked at for what it is, and named when it is whole.
 * What it says may come from anybody: its first bytes are read here, everything else is asked of `qemu-img` in a sandbox, which
 * is given the format and never guesses it. One that refers to other files is refused.
 */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { chmod, mkdir, open, readdir, rename, rm, type FileHandle } from "node:fs/promises";
import {
  GodwitError,
  imageFormatSchema,
  spaceShort,
  type ImageCopy,
  type ImageFile,
  type ImageFormat,
  type TaskId,
} from "@godwit/contract";
import { limitedAs, run, syncFolder, type UserIds } from "@godwit/system";
import { progressOf, type CopySample } from "./copy-progress.ts";
import type { Datastore } from "./datastore.ts";
import { headerBytes, imageHeader } from "./image-header.ts";
import { referenceIn, virtualBytesIn } from "./image-info.ts";

export const imagesFolder = "images";
/** What always stays free beside an image. */
const reserveBytes = 256 * 1048576;
const askSpaceEveryBytes = 64 * 1048576;
const tellEveryMs = 1000;
/** Of the samples that a rate is of. */
const mostSamples = 6;

export interface ImageToKeep {
  /** Of the task that adds it: its file's name has a part of it, so that no two images share one. */
  id: TaskId;
  name: string;
  /** Where it comes from, in words. */
  origin: string;
  host: string;
  /** Absent: its content tells. */
  format?: ImageFormat | undefined;
  /** `sha256:…` */
  checksum?: string | undefined;
  /** The largest that is taken. */
  mostBytes: number;
  /** QEMU's user. */
  user: UserIds;
  onCopy: (progress: ImageCopy) => void;
}

/** What comes; `totalBytes` null: that is not said. `close` ends it at any point. */
export interface ImageStream {
  close: () => void;
  chunks: AsyncIterable<Buffer>;
  totalBytes: number | null;
}

/** The file of an image that an earlier attempt has completed; null: there is none. */
export async function keptImage(datastore: Datastore, image: ImageToKeep): Promise<ImageFile | null> {
  if ((await datastore.look(imagesFolder)) !== "folder") return null;
  const begins = `${stem(image)}.`;
  const name = (await readdir(datastore.resolve(imagesFolder))).find((one) => one.startsWith(begins));
  if (name === undefined || (await datastore.look(`${imagesFolder}/${name}`)) !== "file") return null;
  const path = `${imagesFolder}/${name}`;
  const sha256 = await digestOf(datastore.resolve(path), "sha256");
  return { path, sha256, ...(await probe(datastore.resolve(path), image)) };
}

/** @throws LIBRARY_IMAGE_REFUSED, LIBRARY_IMAGE_CHECKSUM, SPACE_SHORT, and what the stream throws; nothing is left then */
export async function keepImage(
  datastore: Datastore,
  image: ImageToKeep,
  stream: ImageStream,
): Promise<ImageFile> {
  try {
    return await keep(datastore, image, stream);
  } finally {
    stream.close();
  }
}

async function keep(datastore: Datastore, image: ImageToKeep, stream: ImageStream): Promise<ImageFile> {
  await makeFolder(datastore, image);
  const part = datastore.resolve(`${imagesFolder}/${partName(image)}`);
  await rm(part, { force: true });
  try {
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    await using file = await open(part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644);
    const sha256 = await write(datastore, image, stream, file);
    await chmod(part, 0o644);
    await file.sync();
    await mustHave(part, sha256, image);
    const found = await probe(part, image);
    const path = `${imagesFolder}/${stem(image)}.${found.format}`;
    await rename(part, datastore.resolve(path));
    await syncFolder(datastore.resolve(imagesFolder));
    return { path, sha256, ...found };
  } catch (error) {
    await rm(part, { force: true });
    throw spaceShort(error, datastore.config.path) ?? error;
  }
}

/** What this host has not completed, and nobody completes any more. */
export async function removeUnfinished(datastore: Datastore, host: string): Promise<void> {
  if ((await datastore.look(imagesFolder)) !== "folder") return;
  for (const name of await readdir(datastore.resolve(imagesFolder)))
    if (name.startsWith(".") && name.endsWith(`.${host}.part`))
      await rm(datastore.resolve(`${imagesFolder}/${name}`), { force: true });
}

/** @param path of the library, as the contract's schema has it */
export async function deleteImage(datastore: Datastore, path: string): Promise<void> {
  if ((await datastore.look(path)) === "file") await rm(datastore.resolve(path), { force: true });
}

const stem = ({ name, id }: Pick<ImageToKeep, "name" | "id">): string => `${name}.${id.slice(0, 8)}`;
const partName = (image: ImageToKeep): string => `.${stem(image)}.${image.host}.part`;

async function makeFolder(datastore: Datastore, image: ImageToKeep): Promise<void> {
  const folder = datastore.resolve(imagesFolder);
  const found = await datastore.look(imagesFolder);
  if (found === "folder") return;
  if (found !== "missing")
    throw refused(image, `would be put into ${folder}, which is no folder of the datastore's own`);
  await mkdir(folder, { mode: 0o755 });
  await chmod(folder, 0o755);
  await syncFolder(datastore.config.path);
}

const refused = ({ name, origin }: ImageToKeep, reason: string, cause?: unknown): GodwitError =>
  GodwitError.of("LIBRARY_IMAGE_REFUSED", { image: name, origin, reason }, { cause });

/** @returns the SHA-256 of what was written */
async function write(
  datastore: Datastore,
  image: ImageToKeep,
  { chunks, totalBytes }: ImageStream,
  file: FileHandle,
): Promise<string> {
  const tooLarge = () =>
    refused(
      image,
      `is larger than ${String(Math.floor(image.mostBytes / 1048576))} MiB, which is the most that is taken`,
    );
  if (totalBytes !== null && totalBytes > image.mostBytes) throw tooLarge();
  await mustHaveRoom(datastore, totalBytes ?? 0);
  const hash = createHash("sha256");
  const samples: CopySample[] = [{ atMs: performance.now(), copiedBytes: 0 }];
  let [written, askedAt] = [0, 0];
  for await (const chunk of chunks) {
    if (written + chunk.length > image.mostBytes) throw tooLarge();
    hash.update(chunk);
    await file.writeFile(chunk);
    written += chunk.length;
    if (written - askedAt >= askSpaceEveryBytes) {
      await mustHaveRoom(datastore, 0);
      askedAt = written;
    }
    const atMs = performance.now();
    if (atMs - (samples.at(-1)?.atMs ?? 0) < tellEveryMs) continue;
    samples.push({ atMs, copiedBytes: written });
    if (samples.length > mostSamples) samples.shift();
    image.onCopy(progressOf(image.name, Math.max(totalBytes ?? 0, written), samples));
  }
  return hash.digest("hex");
}

async function mustHaveRoom(datastore: Datastore, moreBytes: number): Promise<void> {
  const { freeBytes } = await datastore.space();
  const neededBytes = moreBytes + reserveBytes;
  if (freeBytes < neededBytes)
    throw GodwitError.of("SPACE_SHORT", { path: datastore.config.path, neededBytes, freeBytes });
}

async function mustHave(
  path: string,
  sha256: string,
  { name, origin, checksum }: ImageToKeep,
): Promise<void> {
  if (checksum === undefined) return;
  const [algorithm = "sha256"] = checksum.split(":");
  const found = `${algorithm}:${algorithm === "sha256" ? sha256 : await digestOf(path, algorithm)}`;
  if (found === checksum) return;
  throw GodwitError.of("LIBRARY_IMAGE_CHECKSUM", { image: name, origin, expected: checksum, found });
}

async function digestOf(path: string, algorithm: string): Promise<string> {
  const hash = createHash(algorithm);
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  for await (const chunk of file.createReadStream({ autoClose: false })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** What QEMU makes of it. @throws LIBRARY_IMAGE_REFUSED */
async function probe(path: string, image: ImageToKeep): Promise<Omit<ImageFile, "path" | "sha256">> {
  const first = Buffer.alloc(headerBytes);
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  const { bytesRead } = await file.read(first, 0, headerBytes, 0);
  const header = imageHeader(first.subarray(0, bytesRead));
  const format = formatOf(header.format, first.subarray(0, bytesRead), image);
  if (header.refersTo !== null)
    throw refused(image, `refers to ${header.refersTo}, and an image must be complete in itself`);
  const [program = "", ...args] = [
    ...limitedAs(image.user),
    ...["qemu-img", "info", "--output=json", "-f", format, path],
  ];
  const words = { what: `inspecting image ${image.name}`, timeoutMs: 15_000 };
  const { stdout } = await run(program, args, words).catch((error: unknown) => {
    if (GodwitError.is(error, "PROGRAM_MISSING")) throw error;
    const said = GodwitError.is(error) ? String(error.problem.details.output) : "qemu-img failed";
    throw refused(
      image,
      `is not opened: ${said
        .replace(/^qemu-img: /, "")
        .replace(/\.$/, "")
        .replaceAll(path, "it")
        .slice(0, 300)}`,
      error,
    );
  });
  const refersTo = referenceIn(stdout);
  if (refersTo !== null)
    throw refused(image, `refers to ${refersTo}, and an image must be complete in itself`);
  return { format, bytes: (await file.stat()).size, virtualBytes: virtualBytesIn(stdout) };
}

/** A disk begins with a boot sector; what is packed, or a page that says that something was not found, does not. */
const isDisk = (first: Buffer): boolean => first.length >= 512 && first.readUInt16LE(510) === 0xaa55;

function formatOf(found: string, first: Buffer, image: ImageToKeep): ImageFormat {
  const parsed = imageFormatSchema.safeParse(found);
  if (!parsed.success) throw refused(image, `is of format ${found}, which no disk is made from`);
  const { format } = image;
  if (format !== undefined && format !== parsed.data)
    throw refused(
      image,
      `is said to be ${format}, and its content is ${parsed.data === "raw" ? "none of the formats that are known" : parsed.data}`,
    );
  if (format === undefined && parsed.data === "raw" && !isDisk(first))
    throw refused(
      image,
      "is no disk image that is known: it has no boot sector either (--format raw takes it as it is)",
    );
  return parsed.data;
}
