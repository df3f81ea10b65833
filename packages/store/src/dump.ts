/**
 * The database as a file, written and read by PostgreSQL's own programs. A dump is one snapshot: the server may write
 * while it is made. It is read into an empty database, in one transaction: all of it or nothing.
 */
import { readdir } from "node:fs/promises";
import { GodwitError } from "@godwit/contract";
import { run } from "@godwit/system";
import pg from "pg";
import { connectLimitMs } from "./guarded.ts";

const limitMs = 3_600_000;
const programsFolder = "/usr/lib/postgresql";

/** @returns the database's major version. @throws DATABASE_UNAVAILABLE, PROGRAM_MISSING, PROGRAM_FAILED */
export async function dumpDatabase(connection: pg.ClientConfig, file: string): Promise<number> {
  const major = await withClient(connection, majorOf);
  const { args, env } = addressOf(connection);
  await run(
    await programOf("pg_dump", major),
    [...args, "--format=custom", "--no-owner", "--no-privileges", "--file", file],
    { what: "writing the database to a file", timeoutMs: limitMs, cwd: "/", env },
  );
  return major;
}

/** @throws DATABASE_NOT_EMPTY, DATABASE_UNAVAILABLE, PROGRAM_MISSING, PROGRAM_FAILED */
export async function loadDatabase(connection: pg.ClientConfig, file: string): Promise<void> {
  const major = await withClient(connection, async (client) => {
    const { rows } = await client.query<{ tables: string }>(
      "select count(*) as tables from pg_tables where schemaname not in ('pg_catalog', 'information_schema')",
    );
    if (Number(rows[0]?.tables) > 0) {
      throw GodwitError.of("DATABASE_NOT_EMPTY", { database: client.database ?? "", host: client.host });
    }
    return await majorOf(client);
  });
  const { args, env } = addressOf(connection);
  await run(
    await programOf("pg_restore", major),
    [...args, "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", file],
    { what: "reading the database from a file", timeoutMs: limitMs, cwd: "/", env },
  );
}

/** A connection of its own, with errors that say when the database does not answer. */
export async function withClient<T>(
  connection: pg.ClientConfig,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ ...connection, connectionTimeoutMillis: connectLimitMs });
  // An error of the connection fails the query that it breaks.
  client.on("error", () => undefined);
  try {
    await client.connect();
  } catch (error) {
    throw GodwitError.of("DATABASE_UNAVAILABLE", { reason: (error as Error).message }, { cause: error });
  }
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function majorOf(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ server_version_num: string }>("show server_version_num");
  return Math.floor(Number(rows[0]?.server_version_num) / 10_000);
}

/**
 * Of the database's own version, or else the oldest that is newer: an older program reads no newer database, and what a newer
 * one writes may not be read back by the database's.
 */
async function programOf(name: "pg_dump" | "pg_restore", major: number): Promise<string> {
  const installed = (await readdir(programsFolder).catch(() => [] as string[]))
    .filter((one) => /^\d+$/.test(one) && Number(one) >= major)
    .sort((a, b) => Number(a) - Number(b));
  for (const version of installed) {
    const folder = `${programsFolder}/${version}/bin`;
    const names = await readdir(folder).catch(() => [] as string[]);
    if (names.includes(name)) return `${folder}/${name}`;
  }
  throw GodwitError.of("PROGRAM_MISSING", {
    program: `${name} of PostgreSQL ${String(major)}`,
    package: `postgresql-client-${String(major)}`,
  });
}

/** As PostgreSQL's programs take it; a password is never an argument, which everybody could read. */
function addressOf(connection: pg.ClientConfig): { args: string[]; env: Record<string, string> } {
  const { host, port, user, database, password } = new pg.Client(connection);
  return {
    args: [
      ...["--host", host, "--port", String(port)],
      ...["--username", user ?? "", "--dbname", database ?? "", "--no-password"],
    ],
    env: typeof password === "string" ? { PGPASSWORD: password } : {},
  };
}
