/** Schema migrations: numbered SQL files, each applied once, in order, in one transaction with its number. */
import { readdir, readFile } from "node:fs/promises";
import { GodwitError } from "@godwit/contract";
import type pg from "pg";

const folder = new URL("migrations/", import.meta.url);
/** Only one program migrates at a time; the lock ends with the transaction. */
const lockKey = 0x60d717;

/** @throws DATABASE_NEWER when a newer program has written here */
export async function migrate(pool: pg.Pool): Promise<void> {
  const files = (await readdir(folder)).filter((name) => /^\d{4}-.*\.sql$/.test(name)).sort();
  const known = files.length;
  const client = await pool.connect();
  try {
    await client.query("begin");
    await client.query("select pg_advisory_xact_lock($1)", [lockKey]);
    await client.query("create table if not exists schema_version (version integer not null)");
    const { rows } = await client.query<{ version: number }>("select version from schema_version");
    const found = rows[0]?.version ?? 0;
    if (found > known) throw GodwitError.of("DATABASE_NEWER", { found, known });
    for (const name of files.slice(found)) await client.query(await readFile(new URL(name, folder), "utf8"));
    if (found < known) {
      await client.query("delete from schema_version");
      await client.query("insert into schema_version values ($1)", [known]);
    }
    await client.query("commit");
  } catch (error) {
    await client.query("rollback").catch(() => undefined);
    throw error;
  } finally {
    client.release();
  }
}
