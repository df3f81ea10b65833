/**
 * A datastore as one host sees it: a folder with an identity of its own. The identity lies in the
 * storage itself, so two hosts see the same storage exactly if they read the same id. A folder without one is no
 * datastore: it may be where storage is to be mounted and is not. Only an explicit act makes it one (`markDatastore`).
 */
import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { access, link, lstat, realpath, rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { datastoreIdSchema, GodwitError, parseJson, type DatastoreId } from "@godwit/contract";
import { readFileOrNull } from "@godwit/system";
import { z } from "zod";

export interface DatastoreConfig {
  name: string;
  /** Absolute; where the storage is mounted on this host. */
  path: string;
  /** Whether other hosts can see it too. */
  shared: boolean;
}

/** What marks a folder as a datastore. */
export const identityFile = ".godwit-datastore.json";
const identitySchema = z.object({ version: z.literal(1), id: datastoreIdSchema });

export class Datastore {
  readonly config: DatastoreConfig;
  readonly id: DatastoreId;
  readonly #host: string;

  private constructor(config: DatastoreConfig, id: DatastoreId, host: string) {
    this.config = config;
    this.id = id;
    this.#host = host;
  }

  /**
   * @throws DATASTORE_UNAVAILABLE when the folder is not there, not writable, or holds a broken identity;
   * DATASTORE_NOT_MARKED when it has none
   */
  static async open(config: DatastoreConfig, host: string): Promise<Datastore> {
    await mustBeAccessible(config, host);
    const file = join(config.path, identityFile);
    const text = await readFileOrNull(file);
    if (text === null) {
      const reason = `${config.path} is not marked as a datastore: its storage is not mounted there, or it is new`;
      throw GodwitError.of("DATASTORE_NOT_MARKED", { datastore: config.name, host, reason });
    }
    try {
      const { id } = identitySchema.parse(parseJson(text));
      return new Datastore(config, id, host);
    } catch (error) {
      const reason = `${file} is not a datastore's identity`;
      throw GodwitError.of(
        "DATASTORE_UNAVAILABLE",
        { datastore: config.name, host, reason },
        { cause: error },
      );
    }
  }

  /** That it is still there: storage may have been unmounted, or other storage mounted over it. @throws as `open`; DATASTORE_REPLACED */
  async verify(): Promise<void> {
    const now = await Datastore.open(this.config, this.#host);
    if (now.id === this.id) return;
    const reason = `other storage (${now.id}) is at ${this.config.path} than before (${this.id})`;
    throw GodwitError.of("DATASTORE_REPLACED", { datastore: this.config.name, host: this.#host, reason });
  }

  /** A file of the datastore as an absolute path; the contract's schema has kept it inside. */
  resolve(relative: string): string {
    return join(this.config.path, relative);
  }

  /**
   * What is there. A `link` is a symbolic link, or a path that leads through one: it may lead anywhere, also out of
   * the datastore, and is never followed.
   */
  async look(relative: string): Promise<"file" | "folder" | "link" | "other" | "missing"> {
    const path = this.resolve(relative);
    try {
      const found = await lstat(path);
      const [root, real] = await Promise.all([realpath(this.config.path), realpath(path)]);
      if (found.isSymbolicLink() || real !== join(root, relative)) return "link";
      return found.isFile() ? "file" : found.isDirectory() ? "folder" : "other";
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" || code === "ENOTDIR") return "missing";
      if (code === "ELOOP") return "link";
      throw error;
    }
  }

  /** @throws DATASTORE_UNAVAILABLE */
  async space(): Promise<{ totalBytes: number; freeBytes: number }> {
    try {
      const { blocks, bavail, bsize } = await statfs(this.config.path);
      return { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
    } catch (error) {
      throw GodwitError.of(
        "DATASTORE_UNAVAILABLE",
        { datastore: this.config.name, host: this.#host, reason: (error as Error).message },
        { cause: error },
      );
    }
  }
}

/**
 * Makes a folder a datastore; one that is a datastore keeps its identity.
 * @returns whether it was none before
 * @throws DATASTORE_UNAVAILABLE
 */
export async function markDatastore(config: DatastoreConfig, host: string): Promise<boolean> {
  await mustBeAccessible(config, host);
  const file = join(config.path, identityFile);
  const isNew = (await readFileOrNull(file)) === null;
  if (isNew) await claimIdentity(file);
  await Datastore.open(config, host);
  return isNew;
}

async function mustBeAccessible({ name: datastore, path }: DatastoreConfig, host: string): Promise<void> {
  try {
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "not accessible";
    const reason = accessWords[code]?.(path) ?? `${path}: ${code}`;
    throw GodwitError.of("DATASTORE_UNAVAILABLE", { datastore, host, reason }, { cause: error });
  }
}

/** Why a folder cannot be used. */
const accessWords: Readonly<Record<string, (path: string) => string>> = {
  EROFS: (path) => `${path} is mounted read-only`,
  ENOENT: (path) => `there is no folder ${path}`,
  EACCES: (path) => `the agent may not write to ${path}`,
  ESTALE: (path) => `the storage at ${path} is not what was mounted (stale file handle)`,
};

/** Two hosts may do this at once: a hard link is made by exactly one of them. */
async function claimIdentity(file: string): Promise<void> {
  const own = `${file}.${randomUUID()}`;
  await writeFile(own, `${JSON.stringify({ version: 1, id: randomUUID() })}\n`, { flush: true });
  try {
    await link(own, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await rm(own, { force: true });
  }
}
