/** What lies in a folder of a datastore. Links are told as what they are, and never followed. */
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { GodwitError, mostDatastoreEntries, type DatastoreEntry } from "@godwit/contract";
import type { Datastore } from "./datastore.ts";

const atOnce = 16;

/**
 * @param relative the folder; null: the datastore itself
 * @throws DATASTORE_FOLDER_MISSING
 */
export async function browse(
  datastore: Datastore,
  relative: string | null,
): Promise<{ entries: DatastoreEntry[]; isWhole: boolean }> {
  const found = relative === null ? "folder" : await datastore.look(relative);
  if (found !== "folder") {
    const { name } = datastore.config;
    const folder = relative ?? "";
    throw GodwitError.of("DATASTORE_FOLDER_MISSING", { datastore: name, folder, found });
  }
  const path = datastore.resolve(relative ?? ".");
  const names = (await readdir(path)).sort();
  const waiting = names.slice(0, mostDatastoreEntries).values();
  const entries: DatastoreEntry[] = [];
  const lookOneByOne = async () => {
    for (const name of waiting) {
      const entry = await entryOf(join(path, name), name);
      if (entry !== null) entries.push(entry);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lookOneByOne));
  return {
    entries: entries.sort((a, b) => (a.name < b.name ? -1 : 1)),
    isWhole: names.length <= mostDatastoreEntries,
  };
}

/** Null: it was removed meanwhile. */
async function entryOf(path: string, name: string): Promise<DatastoreEntry | null> {
  try {
    const found = await lstat(path);
    const kind = found.isFile()
      ? "file"
      : found.isDirectory()
        ? "folder"
        : found.isSymbolicLink()
          ? "link"
          : "other";
    const bytes = kind === "file" ? { bytes: found.size, allocatedBytes: found.blocks * 512 } : {};
    return { name, kind, ...bytes, modifiedAt: found.mtime.toISOString() };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
