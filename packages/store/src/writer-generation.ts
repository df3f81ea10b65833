/**
 * The number of the server that may write, in one row of the database. A server that takes the database's lock for the
 * first time takes the next number. Every transaction that writes first locks the row for reading and compares: a server
 * whose lock was lost without its knowledge is refused by the database itself, whatever it believes and whatever its
 * clock says. Taking the next number waits for the transactions that have compared already, so that none of them commits
 * after it.
 *
 * Agents hear a number too, by which they refuse the orders of earlier servers: this one and a lead. The lead is 0, and
 * grows only where the database was restored from a backup whose numbers the agents have heard already.
 */
import { GodwitError } from "@godwit/contract";
import { sql } from "kysely";
import type pg from "pg";
import type { Writes } from "./schema.ts";

/** It is here before the schema's migrations, which are written by the server with the new number already. */
const table = `
  create table if not exists writer_generation (
    only_one boolean primary key default true check (only_one),
    generation bigint not null
  );
  alter table writer_generation add column if not exists lead bigint not null default 0;
  insert into writer_generation (generation) values (0) on conflict do nothing`;
/** A transaction that does not end by then is that of a server which is cut off; the database ends it soon. */
const waitLimit = "set lock_timeout = 3000";

/** The next number. Called with the database's lock. @throws an error of PostgreSQL while a transaction under the one before does not end */
export async function nextGeneration(client: pg.Client): Promise<number> {
  await client.query(waitLimit);
  await client.query(table);
  const { rows } = await client.query<{ generation: string }>(
    "update writer_generation set generation = generation + 1 returning generation",
  );
  return Number(rows[0]?.generation);
}

/** The number as it is. Called with the database's lock. */
export async function presentGeneration(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ generation: string }>("select generation from writer_generation");
  return Number(rows[0]?.generation);
}

/** The first statement of a transaction that writes. @throws DATABASE_IN_USE when another server has a newer number */
export async function mustBeGeneration(tx: Writes, own: number, database: string): Promise<void> {
  const { rows } = await sql<{ generation: string }>`
    select generation from writer_generation for share`.execute(tx);
  if (Number(rows[0]?.generation) !== own) throw GodwitError.of("DATABASE_IN_USE", { database });
}
