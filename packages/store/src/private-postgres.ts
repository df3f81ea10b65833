/**
 * A PostgreSQL of Godwit's own, from the distribution's binaries: in the server's data folder, on a unix
 * socket only, under a user of its own. It outlives a killed server, which finds it again; when it dies
 * itself it is started again. Nothing outside its folder is touched.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:fs";
import { chmod, chown, mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GodwitError } from "@godwit/contract";
import {
  endProcess,
  identifyProcess,
  isAliveOrUnknown,
  openChecked,
  processArguments,
  readFileOrNull,
  readTailOrNull,
  run,
  sleep,
  userIds,
  type ProcessIdentity,
  type UserIds,
} from "@godwit/system";
import type pg from "pg";

const { O_WRONLY, O_CREAT, O_APPEND } = constants;
const database = "godwit";
const startLimitMs = 60_000;
const retryLimitMs = 15_000;
/** Linux's limit for a unix socket's path, with PostgreSQL's file name and the final zero. */
const socketFolderLimit = 107 - "/.s.PGSQL.5432".length;

export interface PrivatePostgresOptions {
  /** Of the cluster; made where it is not there. */
  folder: string;
  /** Of the socket; short. */
  socketFolder: string;
  /** An unprivileged user, since PostgreSQL refuses to run as root; where this program is not root, it is its own. */
  user: string;
}

export class PrivatePostgres {
  readonly #options: PrivatePostgresOptions;
  readonly #binaries: string;
  #process: ProcessIdentity;
  #closing = false;
  #guard: NodeJS.Timeout | undefined;

  private constructor(options: PrivatePostgresOptions, binaries: string, process: ProcessIdentity) {
    this.#options = options;
    this.#binaries = binaries;
    this.#process = process;
  }

  /**
   * Makes the cluster where there is none, and starts it where it does not run.
   * @throws PROGRAM_MISSING, DATABASE_FOLDER_FOREIGN, PROGRAM_FAILED with PostgreSQL's own words
   */
  static async start(
    options: PrivatePostgresOptions,
    onRestart: (reason: string) => void,
  ): Promise<PrivatePostgres> {
    if (options.socketFolder.length > socketFolderLimit) {
      throw GodwitError.of("USAGE", {
        what: `The path ${options.socketFolder} is too long for a unix socket.`,
        hint: "Choose a shorter --data folder.",
      });
    }
    const version = await versionOf(options.folder);
    const binaries = await findBinaries(version);
    if (version === null) await mustBeOurs(options.folder);
    const { uid, gid } = await idsFor(options.user);
    for (const folder of [options.folder, options.socketFolder]) {
      await mkdir(folder, { recursive: true });
      await chown(folder, uid, gid);
      await chmod(folder, 0o700);
    }
    if (version === null) await initialise(options, binaries, uid, gid);
    const process = await launch(options, binaries, uid, gid);
    const postgres = new PrivatePostgres(options, binaries, process);
    postgres.#watch(onRestart);
    return postgres;
  }

  get connection(): pg.ClientConfig {
    return privateConnection(this.#options.socketFolder);
  }

  /** Of the postmaster. */
  get pid(): number {
    return this.#process.pid;
  }

  /** Ends it in order: transactions that were acknowledged are on disk. */
  async stop(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#guard);
    await endProcess(this.#process, "SIGINT", 20_000);
  }

  /** The process may be none of our children: looking now and then is the only way to learn of its end. */
  #watch(onRestart: (reason: string) => void): void {
    this.#guard = setTimeout(() => {
      void (async () => {
        if (!this.#closing && (await isAliveOrUnknown(this.#process)) === false) {
          onRestart("PostgreSQL had ended; it is started again");
          const { uid, gid } = await idsFor(this.#options.user);
          this.#process = await launch(this.#options, this.#binaries, uid, gid);
        }
      })()
        .catch((error: unknown) => {
          onRestart(`PostgreSQL could not be started: ${String(error)}`);
        })
        .finally(() => {
          if (!this.#closing) this.#watch(onRestart);
        });
    }, 250);
  }
}

/** To a database of Godwit's own that runs, by the folder of its socket. */
export const privateConnection = (socketFolder: string): pg.ClientConfig => ({
  ...{ host: socketFolder, user: database, database: "postgres", port: 5432 },
});

/** The major version that wrote a cluster; null: there is no cluster. A cluster that an initdb was interrupted in is none. */
async function versionOf(folder: string): Promise<string | null> {
  if ((await readFileOrNull(initialising(folder))) !== null) return null;
  return (await readFileOrNull(join(folder, "PG_VERSION")))?.trim() ?? null;
}

/** While this file is beside a folder, what is in the folder was made by an initdb of ours that has not ended. */
const initialising = (folder: string): string => `${folder}.initialising`;

/** @throws DATABASE_FOLDER_FOREIGN for a folder that has something in it which no initdb of ours made */
async function mustBeOurs(folder: string): Promise<void> {
  const names = await readdir(folder).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  });
  if (names.length === 0 || (await readFileOrNull(initialising(folder))) !== null) return;
  throw GodwitError.of("DATABASE_FOLDER_FOREIGN", { path: folder });
}

/**
 * The programs of the version that wrote a cluster (no other reads it), or the newest for a new one. Debian keeps
 * them in a folder for each major version, outside PATH.
 * @throws PROGRAM_MISSING
 */
async function findBinaries(version: string | null): Promise<string> {
  const root = "/usr/lib/postgresql";
  const versions =
    version !== null
      ? [version]
      : (await readdir(root).catch(() => [] as string[]))
          .filter((name) => /^\d+$/.test(name))
          .sort((a, b) => Number(b) - Number(a));
  for (const one of versions) {
    const folder = join(root, one, "bin");
    const found = await stat(join(folder, "postgres")).then(
      () => true,
      () => false,
    );
    if (found) return folder;
  }
  throw version === null
    ? GodwitError.of("PROGRAM_MISSING", { program: "postgres", package: "postgresql" })
    : GodwitError.of("PROGRAM_MISSING", {
        program: `postgres of PostgreSQL ${version}, which wrote the database,`,
        package: `postgresql-${version}`,
      });
}

async function idsFor(user: string): Promise<UserIds> {
  const uid = process.getuid?.() ?? 0;
  return uid === 0 ? await userIds(user) : { uid, gid: process.getgid?.() ?? uid };
}

/** A program that is not root stays who it is: setpriv would ask for a system call that its service may not make. */
const asIds = (uid: number, gid: number, program: string): [string, ...string[]] =>
  uid === process.getuid?.()
    ? [program]
    : ["setpriv", "--reuid", String(uid), "--regid", String(gid), "--clear-groups", "--", program];

async function initialise(
  options: PrivatePostgresOptions,
  binaries: string,
  uid: number,
  gid: number,
): Promise<void> {
  const marker = initialising(options.folder);
  await writeFile(marker, "");
  for (const name of await readdir(options.folder)) await rm(join(options.folder, name), { recursive: true });
  const [program, ...before] = asIds(uid, gid, join(binaries, "initdb"));
  await run(
    program,
    [
      ...before,
      ...["--pgdata", options.folder, "--username", database, "--auth", "trust"],
      ...["--encoding", "UTF8", "--locale", "C.UTF-8", "--data-checksums"],
    ],
    { what: `creating the database in ${options.folder}`, timeoutMs: 120_000, cwd: "/" },
  );
  await rm(marker);
}

/** The postmaster of a folder, if it runs: the first line of postmaster.pid is its pid, the second its folder. */
async function running(folder: string): Promise<ProcessIdentity | null> {
  const lines = (await readFileOrNull(join(folder, "postmaster.pid")))?.split("\n") ?? [];
  const identity = await identifyProcess(Number(lines[0]));
  if (identity === null) return null;
  const words = (await processArguments(identity.pid)) ?? [];
  return words.join(" ").includes(folder) ? identity : null;
}

/**
 * The running postmaster, or a new one. What a killed one leaves (its own remains in the process table, its
 * children, its shared memory) keeps a new one from starting for a moment: it is tried again.
 */
async function launch(
  options: PrivatePostgresOptions,
  binaries: string,
  uid: number,
  gid: number,
): Promise<ProcessIdentity> {
  const until = performance.now() + retryLimitMs;
  for (;;) {
    const found = await running(options.folder);
    if (found !== null) return found;
    try {
      return await launchOnce(options, binaries, uid, gid);
    } catch (error) {
      if (performance.now() > until || GodwitError.is(error, "FILE_UNTRUSTED")) throw error;
    }
    await sleep(200);
  }
}

async function launchOnce(
  options: PrivatePostgresOptions,
  binaries: string,
  uid: number,
  gid: number,
): Promise<ProcessIdentity> {
  const logPath = join(options.folder, "postgres.log");
  // The folder is the database's user's, and this program may be root: what is there under that name is looked at first.
  const log = await openChecked(logPath, O_WRONLY | O_CREAT | O_APPEND, { mode: 0o640 });
  try {
    const [program, ...before] = asIds(uid, gid, join(binaries, "postgres"));
    const child = spawn(
      program,
      [
        ...before,
        ...["-D", options.folder, "-k", options.socketFolder, "-c", "listen_addresses="],
        ...["-c", "max_connections=60", "-c", "shared_buffers=64MB", "-c", "log_min_messages=warning"],
        // Those of this machine are set aside for VMs.
        ...["-c", "unix_socket_permissions=0700", "-c", "huge_pages=off"],
      ],
      // It outlives this program, and must not keep its inherited sockets (a listening one, a pipe) open:
      // the log takes their numbers.
      {
        detached: true,
        stdio: ["ignore", log.fd, log.fd, log.fd, log.fd],
        cwd: "/",
        // PostgreSQL, too, would tell systemd that it is ready, and systemd would take that for the server's word.
        env: { ...process.env, NOTIFY_SOCKET: undefined },
      },
    );
    await once(child, "spawn");
    child.unref();
    const until = performance.now() + startLimitMs;
    while (child.exitCode === null && performance.now() < until) {
      // The eighth line of its pid file tells that it is ready; nothing else tells it without a client.
      const lines = (await readFileOrNull(join(options.folder, "postmaster.pid")))?.split("\n") ?? [];
      if (lines[0] === String(child.pid) && lines[7]?.trim() === "ready") {
        const identity = await identifyProcess(Number(lines[0]));
        if (identity !== null) return identity;
      }
      await sleep(20);
    }
    child.kill("SIGKILL");
  } finally {
    await log.close();
  }
  const words = ((await readTailOrNull(logPath).catch(() => null)) ?? "")
    .trim()
    .split("\n")
    .slice(-3)
    .join(" / ");
  throw GodwitError.of("PROGRAM_FAILED", { program: "postgres", what: "starting", output: words });
}
