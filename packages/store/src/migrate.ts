/**
 * Schema migrations: numbered SQL files, applied by Kysely's Migrator, each once, in order, all in one transaction. A
 * database that a version before the Migrator wrote has the number of its last one in a table: it is taken over.
 */
import { readdir, readFile } from "node:fs/promises";
import { GodwitError } from "@godwit/contract";
import { Kysely, PostgresDialect, sql, type Transaction } from "kysely";
import { DEFAULT_MIGRATION_TABLE, Migrator, type Migration, type MigrationProvider } from "kysely/migration";
import pg from "pg";
import { connectLimitMs } from "./guarded.ts";

const folder = new URL("migrations/", import.meta.url);
/** Only one program at a time takes over a database; the lock ends with the transaction. */
const lockKey = 0x60d717;

/** A name and its SQL; the names are those that the database keeps. */
class SqlFiles implements MigrationProvider {
  async getMigrations(): Promise<Record<string, Migration>> {
    const names = await migrationNames();
    const entries = names.map(async (name): Promise<[string, Migration]> => {
      const text = await readFile(new URL(`${name}.sql`, folder), "utf8");
      const up = async (db: Kysely<unknown>) => {
        await sql.raw(text).execute(db);
      };
      return [name, { up }];
    });
    return Object.fromEntries(await Promise.all(entries));
  }
}

/** @throws DATABASE_NEWER when a newer program has written here */
export async function migrate(connection: pg.ClientConfig): Promise<void> {
  // Not of the pool that queries share: a migration of a large table may take longer than any of them.
  const pool = new pg.Pool({ ...connection, max: 2, connectionTimeoutMillis: connectLimitMs });
  pool.on("error", () => undefined);
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) });
  try {
    const known = await migrationNames();
    await db.transaction().execute((tx) => takeOver(tx, known));
    const { error } = await new Migrator({ db, provider: new SqlFiles() }).migrateToLatest();
    if (error !== undefined) throw error as Error;
  } finally {
    await db.destroy();
  }
}

/** Enters the migrations of a database of before in the Migrator's table. @throws DATABASE_NEWER */
async function takeOver(tx: Transaction<unknown>, known: readonly string[]): Promise<void> {
  await sql`select pg_advisory_xact_lock(${lockKey})`.execute(tx);
  const applied = await appliedNames(tx);
  if (applied !== null) {
    const unknown = applied.filter((name) => !known.includes(name));
    if (unknown.length > 0)
      throw GodwitError.of("DATABASE_NEWER", { found: applied.length, known: known.length });
    return;
  }
  const version = await versionOfBefore(tx);
  if (version === null) return;
  if (version > known.length) throw GodwitError.of("DATABASE_NEWER", { found: version, known: known.length });
  await sql`
    create table ${sql.table(DEFAULT_MIGRATION_TABLE)} (
      name varchar(255) not null primary key,
      timestamp varchar(255) not null
    )`.execute(tx);
  for (const name of known.slice(0, version)) {
    await sql`
      insert into ${sql.table(DEFAULT_MIGRATION_TABLE)} (name, timestamp)
      values (${name}, ${new Date().toISOString()})`.execute(tx);
  }
}

/** Null: the Migrator was never here. */
async function appliedNames(tx: Transaction<unknown>): Promise<string[] | null> {
  if (!(await hasTable(tx, DEFAULT_MIGRATION_TABLE))) return null;
  const { rows } = await sql<{ name: string }>`
    select name from ${sql.table(DEFAULT_MIGRATION_TABLE)} order by name`.execute(tx);
  return rows.map(({ name }) => name);
}

async function versionOfBefore(tx: Transaction<unknown>): Promise<number | null> {
  if (!(await hasTable(tx, "schema_version"))) return null;
  const { rows } = await sql<{ version: number }>`select version from schema_version`.execute(tx);
  return rows[0]?.version ?? null;
}

async function hasTable(tx: Transaction<unknown>, name: string): Promise<boolean> {
  const { rows } = await sql<{ has: boolean }>`select to_regclass(${name}) is not null as has`.execute(tx);
  return rows[0]?.has === true;
}

async function migrationNames(): Promise<string[]> {
  const files = (await readdir(folder)).filter((name) => /^\d{4}-.*\.sql$/.test(name));
  return files.map((name) => name.replace(/\.sql$/, "")).sort();
}
