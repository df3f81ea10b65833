/**
 * A move's journal on this host: one line an entry, each with a checksum, on disk before the step that
 * it speaks of is taken. A torn tail is cut off: what was not written whole did not happen. What was written
 * whole and cannot be read (damage before the end, a newer version's entries) is never taken for that. Each line has
 * the version that wrote it: an agent that was upgraded in the middle of a move reads it on, and goes on in its own.
 */
import { mkdir, open, readdir, readFile, rm, truncate, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { GodwitError, parseJson, spaceShort, type MoveId } from "@godwit/contract";
import { journalVersion, readEntry } from "@godwit/migration";
import { syncFolder } from "@godwit/system";

export type Role = "source" | "destination";

export interface JournalContent<Entry> {
  moveId: MoveId;
  role: Role;
  entries: Entry[];
}

export class Journal<Entry> {
  readonly path: string;
  readonly #file: FileHandle;
  #broken = false;

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  /** Opens or makes a move's journal for appending. @throws SPACE_SHORT */
  static async open<Entry>(folder: string, moveId: MoveId, role: Role): Promise<Journal<Entry>> {
    await mkdir(folder, { recursive: true });
    const path = join(folder, fileName(moveId, role));
    try {
      const file = await open(path, "a", 0o600);
      await syncFolder(folder);
      return new Journal<Entry>(path, file);
    } catch (error) {
      throw spaceShort(error, path) ?? error;
    }
  }

  /**
   * Durable when it returns.
   * @throws SPACE_SHORT or the system's error; the entry does not count then
   */
  async append(entry: Entry): Promise<void> {
    const { size } = await this.#file.stat();
    if (this.#broken) throw new Error(`the journal ${this.path} could not be repaired after a failed write`);
    try {
      await this.#file.appendFile(encodeLine(entry));
      await this.#file.datasync();
    } catch (error) {
      // Half a line must not swallow the next entry.
      await truncate(this.path, size).catch(() => {
        this.#broken = true;
      });
      throw spaceShort(error, this.path) ?? error;
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /** The move is over and told to everyone who asks: its journal is no longer needed. */
  async remove(): Promise<void> {
    await this.close();
    await rm(this.path, { force: true });
  }
}

/**
 * All journals of a folder; a file that is not one is passed over. Cuts torn tails off.
 * @throws JOURNAL_UNREADABLE; nothing is changed then
 */
export async function readJournals<Entry>(folder: string): Promise<JournalContent<Entry>[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  });
  const journals: JournalContent<Entry>[] = [];
  for (const name of names.sort()) {
    const match = /^([0-9a-f-]{36})\.(source|destination)\.journal$/.exec(name);
    if (match === null) continue;
    const path = join(folder, name);
    const role = match[2] as Role;
    const { entries, soundBytes, totalBytes, unreadable } = decodeLines(role, await readFile(path));
    if (unreadable !== null) throw GodwitError.of("JOURNAL_UNREADABLE", { path, reason: unreadable });
    if (soundBytes < totalBytes) await truncate(path, soundBytes);
    if (entries.length === 0) await rm(path, { force: true });
    else journals.push({ moveId: match[1] as MoveId, role, entries: entries as Entry[] });
  }
  return journals;
}

export function encodeLine(entry: unknown): string {
  const body = JSON.stringify(entry);
  return `${String(journalVersion)} ${crc32(body).toString(16).padStart(8, "0")} ${body}\n`;
}

/**
 * The entries, up to a torn end: bytes without the end of their line. `unreadable` says why a line that is
 * there to its end is none.
 */
export function decodeLines(
  role: Role,
  bytes: Buffer,
): {
  entries: unknown[];
  soundBytes: number;
  totalBytes: number;
  unreadable: string | null;
} {
  const entries: unknown[] = [];
  let soundBytes = 0;
  let unreadable: string | null = null;
  for (;;) {
    const end = bytes.indexOf(0x0a, soundBytes);
    if (end === -1) break;
    const line = soundLine(bytes.subarray(soundBytes, end).toString("utf8"));
    if (line === null) {
      unreadable = `it is damaged at byte ${String(soundBytes)}`;
      break;
    }
    const json = jsonOf(line.body);
    if (json === undefined) {
      unreadable = `it is not JSON at byte ${String(soundBytes)}`;
      break;
    }
    const entry = readEntry(role, json, line.version);
    if (entry === null) {
      unreadable = `it has version ${String(line.version)} of the format`;
      break;
    }
    entries.push(entry);
    soundBytes = end + 1;
  }
  return { entries, soundBytes, totalBytes: bytes.length, unreadable };
}

/** Its checksum says only that it is as it was written. */
function jsonOf(body: string): unknown {
  try {
    return parseJson(body);
  } catch {
    return undefined;
  }
}

/** A line as it was written; null for anything else. */
function soundLine(text: string): { version: number; body: string } | null {
  const match = /^(\d+) ([0-9a-f]{8}) (.*)$/s.exec(text);
  const [, found = "", checksum = "", body = ""] = match ?? [];
  if (match === null || crc32(body) !== parseInt(checksum, 16)) return null;
  return { version: Number(found), body };
}

const fileName = (moveId: MoveId, role: Role): string => `${moveId}.${role}.journal`;
