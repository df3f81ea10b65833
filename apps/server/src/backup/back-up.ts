/**
 * A backup of the server while it runs: one file with the database as it is at one moment, the cluster's authority, the
 * server's certificate and the admin token. It is there whole or not at all; older ones are removed only after it is.
 */
import { createReadStream } from "node:fs";
import { cp, mkdir, mkdtemp, open, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { dumpDatabase, privateConnection } from "@godwit/store";
import { run, syncFolder, version } from "@godwit/system";
import { openDataFolder } from "../data-folder.ts";
import { dataPaths } from "../data-paths.ts";
import { encryptStream, type BackupKey } from "./encryption.ts";
import { dumpFile, folderFiles, manifestFile, manifestOf } from "./manifest.ts";

export interface BackupOptions {
  dataFolder: string;
  /** The folder that gets the file. */
  to: string;
  key: BackupKey;
  /** So many are kept there, this one counted; null: all. */
  keep: number | null;
  /** The operator's PostgreSQL; without it the private one, which runs with the server. */
  databaseUrl?: string | undefined;
}

const stagingPrefix = ".backup-";
/** Of one whose program was killed. */
const leftoverMs = 86_400_000;
const nameOf = (at: Date): string => `godwit-${at.toISOString().replaceAll(":", "-")}.age`;
const isBackup = (name: string): boolean => /^godwit-\d{4}-\d\d-\d\dT[\d.-]+Z\.age$/.test(name);

/** @returns the file. @throws SERVER_NOT_INITIALISED, DATABASE_UNAVAILABLE, PROGRAM_FAILED, USAGE, and the system's errors */
export async function backUpServer(options: BackupOptions): Promise<{ file: string; bytes: number }> {
  const { dataFolder, to, key, keep, databaseUrl } = options;
  await openDataFolder(dataFolder); // a folder that is complete
  await removeLeftovers(dataFolder);
  const staging = await mkdtemp(join(dataFolder, stagingPrefix));
  try {
    const connection =
      databaseUrl === undefined
        ? privateConnection(dataPaths(dataFolder).databaseSocket)
        : { connectionString: databaseUrl };
    // The authority first: what the database says of certificates is never older than it.
    await copyOwnFiles(dataFolder, join(staging, folderFiles));
    const postgres = await dumpDatabase(connection, join(staging, dumpFile));
    const manifest = await manifestOf(staging, { version, postgres });
    await writeFile(join(staging, manifestFile), `${JSON.stringify(manifest, null, 2)}\n`);
    await mkdir(to, { recursive: true, mode: 0o700 });
    const file = join(to, nameOf(new Date(manifest.madeAt)));
    await writeArchive(staging, key, file);
    if (keep !== null) await removeOldest(to, keep);
    return { file, bytes: (await stat(file)).size };
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function copyOwnFiles(dataFolder: string, to: string): Promise<void> {
  await mkdir(to);
  await cp(join(dataFolder, "pki"), join(to, "pki"), { recursive: true });
  await cp(dataPaths(dataFolder).adminToken, join(to, "admin-token"));
}

/**
 * The archive is a file before it is encrypted: what is read from a program's pipe is lost where the program ends before
 * anybody reads, and a file says how long it is.
 */
async function writeArchive(folder: string, key: BackupKey, file: string): Promise<void> {
  const archive = `${folder}.tar`;
  const beside = `${file}.partial`;
  try {
    await run("tar", ["--create", "--file", archive, "--sort=name", "--directory", folder, "."], {
      what: "putting the backup together",
      timeoutMs: 3_600_000,
    });
    const target = await open(beside, "w", 0o600);
    // It closes the file.
    await pipeline(
      await encryptStream(key, createReadStream(archive)),
      target.createWriteStream({ flush: true }),
    );
    await rename(beside, file);
  } finally {
    await rm(archive, { force: true });
    await rm(beside, { force: true });
  }
  await syncFolder(join(file, ".."));
}

async function removeOldest(folder: string, keep: number): Promise<void> {
  const names = (await readdir(folder)).filter(isBackup).sort();
  for (const name of names.slice(0, -keep)) await rm(join(folder, name), { force: true });
}

async function removeLeftovers(dataFolder: string): Promise<void> {
  for (const name of await readdir(dataFolder)) {
    if (!name.startsWith(stagingPrefix)) continue;
    const { mtimeMs } = await stat(join(dataFolder, name)).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs < leftoverMs) continue;
    // One that root has left is not the server's to remove; it is in nobody's way.
    await rm(join(dataFolder, name), { recursive: true, force: true }).catch(() => undefined);
  }
}
