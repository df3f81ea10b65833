/**
 * A server from its backup, in a folder that holds none. Everything is made beside it and takes its place in one step: a
 * restore that was killed has changed nothing, and begins again. The database is settled before any server sees it, so
 * that nothing of the past is carried out; where VMs are, the hosts and the leases say when the server starts.
 */
import { chmod, mkdir, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { GodwitError } from "@godwit/contract";
import { loadDatabase, PrivatePostgres, settleRestored, type RestoredState } from "@godwit/store";
import { run, syncFolder } from "@godwit/system";
import { dataPaths } from "../data-paths.ts";
import { decryptFile, type BackupKey } from "./encryption.ts";
import { checkManifest, dumpFile, folderFiles } from "./manifest.ts";

export interface RestoreOptions {
  file: string;
  dataFolder: string;
  key: BackupKey;
  /** The operator's PostgreSQL, which must be empty. */
  databaseUrl?: string | undefined;
  /** Whom the private database runs as, if this program is root. */
  databaseUser: string;
  /** Called with the finished folder before it takes its place. */
  beforeUse?: (folder: string) => Promise<void>;
}

export interface Restored extends RestoredState {
  madeAt: string;
  version: string;
}

/**
 * @throws BACKUP_UNREADABLE, SERVER_ALREADY_INITIALISED, DATABASE_NOT_EMPTY, DATABASE_UNAVAILABLE, PROGRAM_MISSING,
 *   PROGRAM_FAILED
 */
export async function restoreServer(options: RestoreOptions): Promise<Restored> {
  const { file, dataFolder, key, databaseUrl, beforeUse } = options;
  await mustHoldNothing(dataFolder);
  const staging = `${dataFolder}.restoring`;
  await removeLeftover(staging, options.databaseUser);
  // The database's user passes through to its own folder.
  await mkdir(staging, { recursive: true, mode: 0o755 });
  const contents = join(staging, "contents");
  const folder = join(staging, "server");
  await mkdir(contents, { mode: 0o700 });
  const archive = join(staging, "archive.tar");
  await decryptFile(key, file, archive);
  // What is in it was written by a server that had the key.
  await run(
    "tar",
    ["--extract", "--file", archive, "--directory", contents, "--no-same-owner", "--no-overwrite-dir"],
    {
      what: "unpacking the backup",
      timeoutMs: 600_000,
    },
  );
  const { madeAt, version } = await checkManifest(contents, file);
  await rename(join(contents, folderFiles), folder);
  await chmod(folder, 0o755);
  const state = await restoreDatabase(
    { folder, dump: join(contents, dumpFile), madeAt: new Date(madeAt) },
    {
      databaseUrl,
      user: options.databaseUser,
    },
  );
  await beforeUse?.(folder);
  await syncFolder(folder);
  // An empty folder that is there already gives way.
  await rename(folder, dataFolder);
  await syncFolder(dirname(dataFolder));
  await rm(staging, { recursive: true, force: true });
  return { madeAt, version, ...state };
}

async function restoreDatabase(
  { folder, dump, madeAt }: { folder: string; dump: string; madeAt: Date },
  { databaseUrl, user }: { databaseUrl: string | undefined; user: string },
): Promise<RestoredState> {
  await using stack = new AsyncDisposableStack();
  const connect = async () => {
    if (databaseUrl !== undefined) return { connectionString: databaseUrl };
    const { database, databaseSocket } = dataPaths(folder);
    const postgres = await PrivatePostgres.start(
      { folder: database, socketFolder: databaseSocket, user },
      () => undefined,
    );
    stack.defer(() => postgres.stop());
    return postgres.connection;
  };
  const connection = await connect();
  await loadDatabase(connection, dump);
  return await settleRestored(connection, madeAt);
}

/** @throws SERVER_ALREADY_INITIALISED */
async function mustHoldNothing(folder: string): Promise<void> {
  const names = await readdir(folder).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  });
  if (names.length > 0) throw GodwitError.of("RESTORE_FOLDER_IN_USE", { path: folder });
}

/** Of a restore that was killed: its database may run still. */
async function removeLeftover(staging: string, user: string): Promise<void> {
  const { database, databaseSocket } = dataPaths(join(staging, "server"));
  const names = await readdir(database).catch(() => [] as string[]);
  if (names.includes("postmaster.pid")) {
    const postgres = await PrivatePostgres.start(
      { folder: database, socketFolder: databaseSocket, user },
      () => undefined,
    );
    await postgres.stop();
  }
  await rm(staging, { recursive: true, force: true });
}
