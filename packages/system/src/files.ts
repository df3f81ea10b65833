/** Files that are there whole or not at all: written beside, synced, renamed; the folder synced too. */
import { open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** Replaces `path` atomically and durably. @throws the system's error (ENOSPC, EACCES …); the old content stays then */
export async function writeFileAtomic(
  path: string,
  content: string | Uint8Array,
  mode = 0o644,
): Promise<void> {
  const beside = `${path}.${String(process.pid)}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    const file = await open(beside, "wx", mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    // What fails while it is written names no file.
    throw Object.assign(error as NodeJS.ErrnoException, { path });
  }
  await syncFolder(dirname(path));
}

/** Makes entries of a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The content of a text file, or null when it is not there. */
export async function readFileOrNull(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
