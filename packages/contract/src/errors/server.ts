/** Errors about the server and its database. */
import { define } from "./define.ts";

export const serverErrors = {
  SERVER_NOT_INITIALISED: define<{ path: string }>(
    500,
    "after-fix",
    (d) => `There is no Godwit server in ${d.path}.`,
    () => "Create it with: godwit server init",
  ),
  SERVER_ALREADY_INITIALISED: define<{ path: string }>(
    409,
    "never",
    (d) => `${d.path} already holds a Godwit server with its certificate authority.`,
    () => "Start it with godwit server run, or choose another --data folder.",
  ),
  SERVER_ALREADY_RUNNING: define<{ path: string; pid: number }>(
    409,
    "after-fix",
    (d) => `A Godwit server already runs from ${d.path} (process ${String(d.pid)}).`,
    () => "Stop it first, or choose another --data folder.",
  ),
  DATABASE_IN_USE: define<{ database: string }>(
    409,
    "after-fix",
    (d) => `Another Godwit server works on the database ${d.database}; only one may.`,
    () => "Stop the other server first, or give this one a database of its own.",
  ),
  SERVER_SUPERSEDED: define<{ host: string; generation: number; newest: number }>(
    409,
    "never",
    (d) =>
      `Host ${d.host} refuses the order of a server that another one has taken over from (generation ${String(d.generation)}; the host has answered ${String(d.newest)}).`,
    () =>
      "Use the server that works on the database now, and stop this one. A server on a restored backup takes over by itself within seconds.",
  ),
  DATABASE_FOLDER_FOREIGN: define<{ path: string }>(
    409,
    "after-fix",
    (d) => `${d.path} is not empty and holds no PostgreSQL database (it has no PG_VERSION).`,
    () =>
      "Godwit erases nothing there. Restore the database that was in it, or move what is in it away for a new one.",
  ),
  AUTHORITY_HOSTS_BEHIND: define<{ hosts: { host: string; reason: string }[] }>(
    409,
    "after-fix",
    (d) =>
      `The certificate authority cannot be replaced further: ${d.hosts.map(({ host, reason }) => `${host}: ${reason}`).join("; ")}.`,
    () =>
      "Connected hosts follow within seconds: godwit server ca show. To leave out a host that stays away: godwit server ca rotate --without HOST; it joins again later with a new token.",
  ),
  DATABASE_NOT_EMPTY: define<{ database: string; host: string }>(
    409,
    "after-fix",
    (d) =>
      `The database ${d.database} at ${d.host} is not empty; a backup is restored into an empty one only.`,
    () => "Create an empty database and name it in GODWIT_DATABASE_URL.",
  ),
  BACKUP_UNREADABLE: define<{ file: string; reason: string }>(
    400,
    "never",
    (d) => `The backup ${d.file} cannot be restored: ${d.reason}.`,
    () => "Nothing was changed. Use the key that it was made for, or another backup.",
  ),
  RESTORE_FOLDER_IN_USE: define<{ path: string }>(
    409,
    "after-fix",
    (d) => `The folder ${d.path} is not empty; a backup is restored into a new folder only.`,
    (d) => `Stop the server that uses it, and move the folder away: mv ${d.path} ${d.path}.before`,
  ),
  DATABASE_NEWER: define<{ found: number; known: number }>(
    500,
    "after-fix",
    (d) => `The database has schema version ${String(d.found)}; this program knows up to ${String(d.known)}.`,
    () => "Run the newer Godwit that wrote it, or restore a backup made before the upgrade.",
  ),
  DATABASE_UNAVAILABLE: define<{ reason: string }>(
    503,
    "later",
    (d) => `The database does not answer: ${d.reason}.`,
    () =>
      "Running VMs and moves continue. Check PostgreSQL; Godwit continues by itself when it answers again.",
  ),
} as const;
