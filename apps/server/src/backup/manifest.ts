/** What a backup holds: the database's dump, the folder's own files, and a list of both with their digests. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { pipeline } from "node:stream/promises";
import { GodwitError } from "@godwit/contract";
import { z } from "zod";

export const manifestFile = "manifest.json";
export const dumpFile = "database.dump";
export const folderFiles = "folder";
const format = 1;

const manifestSchema = z.object({
  format: z.literal(format),
  madeAt: z.iso.datetime(),
  /** Of the program that made it. */
  version: z.string(),
  postgres: z.int(),
  /** SHA-256 by path. */
  files: z.record(z.string(), z.string()),
});
export type BackupManifest = z.infer<typeof manifestSchema>;

export async function manifestOf(
  folder: string,
  about: Pick<BackupManifest, "version" | "postgres">,
): Promise<BackupManifest> {
  return { format, madeAt: new Date().toISOString(), ...about, files: await digestsOf(folder) };
}

/** @throws BACKUP_UNREADABLE unless the folder holds exactly what its manifest lists */
export async function checkManifest(folder: string, file: string): Promise<BackupManifest> {
  const refuse = (reason: string) => GodwitError.of("BACKUP_UNREADABLE", { file, reason });
  const text = await readFile(join(folder, manifestFile), "utf8").catch(() => null);
  if (text === null) throw refuse("it has no list of its contents");
  const read = manifestSchema.safeParse(JSON.parse(text));
  if (!read.success) throw refuse("a newer Godwit made it, or its list of contents is not understood");
  const found = await digestsOf(folder);
  const { files } = read.data;
  for (const path of new Set([...Object.keys(found), ...Object.keys(files)])) {
    if (found[path] !== files[path]) throw refuse(`${path} is not as it was when the backup was made`);
  }
  if (!(dumpFile in files)) throw refuse("it has no database");
  return read.data;
}

async function digestsOf(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const digests: Record<string, string> = {};
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(folder, path);
    if (entry.isDirectory() || name === manifestFile) continue;
    const hash = createHash("sha256");
    await pipeline(createReadStream(path), hash);
    digests[name] = hash.digest("hex");
  }
  return digests;
}
