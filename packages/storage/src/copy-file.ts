/** Files of images as they are copied and given away: by what was opened, and not by a name that others may change meanwhile. */
import { constants } from "node:fs";
import { open, readlink, realpath, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { GodwitError, type ImageCopy } from "@godwit/contract";
import { run, type UserIds } from "@godwit/system";
import { watchCopy } from "./copy-progress.ts";
import type { Datastore } from "./datastore.ts";

/** An image may be large, and the storage slow. */
const copyLimitMs = 12 * 3600 * 1000;

export interface FileToCopy {
  file: FileHandle;
  /** Its path, for people. */
  source: string;
  to: Datastore;
  /** Absolute. */
  target: string;
  disk: string;
  /** Hears how far the copy is, now and then. */
  onCopy: (progress: ImageCopy) => void;
  signal?: AbortSignal;
}

/** Holes are not copied. What is at the target already is overwritten. @throws SPACE_SHORT, PROGRAM_FAILED; the signal's reason */
export async function copyFile({
  file,
  source,
  to,
  target,
  disk,
  onCopy,
  signal,
}: FileToCopy): Promise<void> {
  const from = `/proc/${String(process.pid)}/fd/${String(file.fd)}`;
  const totalBytes = (await file.stat()).blocks * 512;
  using _watch = watchCopy(target, { disk, totalBytes }, onCopy);
  await run("cp", ["--reflink=auto", "--sparse=auto", "--", from, target], {
    ...{ what: `copying ${source}`, timeoutMs: copyLimitMs },
    ...(signal === undefined ? {} : { signal }),
  }).catch((error: unknown) => {
    const said = GodwitError.is(error) ? String(error.problem.details.output) : "";
    if (!said.includes("No space left")) throw error;
    return spaceShort(to, totalBytes, error);
  });
}

async function spaceShort(datastore: Datastore, neededBytes: number, cause: unknown): Promise<never> {
  const { freeBytes } = await datastore.space();
  throw GodwitError.of("SPACE_SHORT", { path: datastore.config.path, neededBytes, freeBytes }, { cause });
}

/** An image by what was found under its name, and not by the name, which others may change meanwhile. @throws DISK_NOT_OWN */
export async function openInside(
  datastore: Datastore,
  relative: string,
  { vm, disk }: { vm: string; disk: string },
): Promise<FileHandle> {
  const path = datastore.resolve(relative);
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const real = await readlink(`/proc/self/fd/${String(file.fd)}`);
  const isFile = (await file.stat()).isFile();
  if (isFile && real === join(await realpath(datastore.config.path), relative)) return file;
  await file.close();
  throw GodwitError.of("DISK_NOT_OWN", { vm, disk, path, reason: "it is no file of the datastore itself" });
}

/** Never what a link leads to. @returns whose it was. @throws the system's error */
export async function giveTo({ uid, gid }: UserIds, path: string): Promise<UserIds> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const before = await file.stat();
    await file.chown(uid, gid);
    await file.sync();
    return { uid: before.uid, gid: before.gid };
  } finally {
    await file.close();
  }
}
