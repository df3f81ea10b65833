/**
 * A file that comes from outside to a place on a datastore: written under a hidden name of this host's, and named when it is whole. It never takes
 * the place of another file, nor one that Godwit keeps for itself or for a VM.
 */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { link, mkdir, open, readdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { GodwitError, spaceShort } from "@godwit/contract";
import { requireSpace, syncFolder } from "@godwit/system";
import type { Datastore } from "./datastore.ts";
import { isOwnFile, vmFile } from "./vm-file.ts";

/** Of the datastore: what is not whole yet. */
const unfinishedFolder = ".godwit-uploads";
/** What always stays free beside it. */
const reserveBytes = 256 * 1024 * 1024;

export interface FileToKeep {
  /** Unique. */
  id: string;
  host: string;
  path: string;
  /** Exactly so many. */
  bytes: number;
}

/** That the file may be written there. @throws UPLOAD_REFUSED, SPACE_SHORT */
export async function mustTakeUpload(
  datastore: Datastore,
  { path, bytes }: Pick<FileToKeep, "path" | "bytes">,
): Promise<void> {
  const { name } = datastore.config;
  const refused = (reason: string) => GodwitError.of("UPLOAD_REFUSED", { datastore: name, path, reason });
  const parts = path.split("/");
  if (parts.some(isOwnFile)) throw refused("such names are kept for Godwit's own files");
  for (const [index] of parts.entries()) {
    const folder = parts.slice(0, index).join("/");
    const found = folder === "" ? "folder" : await datastore.look(folder);
    if (found === "missing") break;
    if (found !== "folder") throw refused(`${folder} is no folder`);
    if (folder !== "" && (await datastore.look(`${folder}/${vmFile}`)) !== "missing")
      throw refused(`${folder} is the folder of a VM`);
  }
  if ((await datastore.look(path)) !== "missing") throw refused("something is there already");
  await requireSpace(datastore.config.path, bytes + reserveBytes);
}

/**
 * @param onTaken called with the bytes that are written so far
 * @returns its SHA-256 @throws UPLOAD_REFUSED, UPLOAD_FAILED, SPACE_SHORT, and what the chunks throw; nothing is left then
 */
export async function keepUpload(
  datastore: Datastore,
  file: FileToKeep,
  chunks: AsyncIterable<Buffer>,
  onTaken: (bytes: number) => void,
): Promise<string> {
  await mustTakeUpload(datastore, file);
  await makeFolder(datastore, unfinishedFolder, 0o700);
  const beside = datastore.resolve(`${unfinishedFolder}/${file.id}.${file.host}`);
  try {
    const sha256 = await write(beside, datastore, file, chunks, onTaken);
    const folder = dirname(file.path);
    if (folder !== ".") await makeFolder(datastore, folder, 0o755);
    // Somebody may have been faster: a link never replaces a file.
    await mustTakeUpload(datastore, { ...file, bytes: 0 });
    await link(beside, datastore.resolve(file.path));
    await syncFolder(datastore.resolve(folder));
    return sha256;
  } catch (error) {
    throw spaceShort(error, datastore.config.path) ?? error;
  } finally {
    await rm(beside, { force: true });
  }
}

/** What this host has not completed. */
export async function removeUnfinishedUploads(datastore: Datastore, host: string): Promise<void> {
  if ((await datastore.look(unfinishedFolder)) !== "folder") return;
  for (const name of await readdir(datastore.resolve(unfinishedFolder)))
    if (name.endsWith(`.${host}`))
      await rm(datastore.resolve(`${unfinishedFolder}/${name}`), { force: true });
}

async function write(
  beside: string,
  datastore: Datastore,
  { path, bytes }: FileToKeep,
  chunks: AsyncIterable<Buffer>,
  onTaken: (bytes: number) => void,
): Promise<string> {
  const failed = (reason: string) =>
    GodwitError.of("UPLOAD_FAILED", { datastore: datastore.config.name, path, reason });
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  await using file = await open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644);
  await file.chmod(0o644);
  const hash = createHash("sha256");
  let written = 0;
  if (bytes > 0)
    for await (const chunk of chunks) {
      if (written + chunk.length > bytes) throw failed("more came than was said");
      hash.update(chunk);
      await file.writeFile(chunk);
      written += chunk.length;
      onTaken(written);
      if (written === bytes) break;
    }
  if (written < bytes) throw failed("the connection was lost");
  await file.sync();
  return hash.digest("hex");
}

/** With those above it. @throws UPLOAD_REFUSED */
async function makeFolder(datastore: Datastore, folder: string, mode: number): Promise<void> {
  const above = dirname(folder);
  if (above !== ".") await makeFolder(datastore, above, mode);
  await mkdir(datastore.resolve(folder), { mode }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  });
  if ((await datastore.look(folder)) === "folder") return;
  const reason = `${folder} is no folder`;
  throw GodwitError.of("UPLOAD_REFUSED", { datastore: datastore.config.name, path: folder, reason });
}
