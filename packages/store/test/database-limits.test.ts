/** A database that hangs is told by name within seconds, and used again when it answers again. */
import { readFile } from "node:fs/promises";
import { GodwitError } from "@godwit/contract";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Database } from "../src/database.ts";
import { Store } from "../src/index.ts";
import { OwnPostgres } from "./own-postgres.ts";

let own: OwnPostgres;
let store: Store;
beforeAll(async () => {
  own = await OwnPostgres.start();
  store = await Store.open(own.connection);
});
afterAll(async () => {
  await store.close();
  await own[Symbol.asyncDispose]();
});

/** The postmaster and its children. */
async function signalAll(signal: NodeJS.Signals): Promise<void> {
  const { pid } = own.postgres;
  const children = await readFile(`/proc/${String(pid)}/task/${String(pid)}/children`, "utf8");
  for (const one of [pid, ...children.trim().split(" ").map(Number)]) process.kill(one, signal);
}

test("reads and writes of a database that stands still fail within their limits of time, and go on afterwards", async () => {
  await Promise.all(Array.from({ length: 12 }, () => store.events.lastId())); // the pool is full
  await signalAll("SIGSTOP");
  const start = performance.now();
  const asked = Array.from({ length: 30 }, (_, index) =>
    index % 2 === 0
      ? store.events.lastId()
      : store.events.append({ type: "host.joined", subject: { kind: "host", id: "a" }, data: {} }),
  );
  const told = await Promise.allSettled(asked);
  const tookMs = performance.now() - start;
  await signalAll("SIGCONT");
  for (const one of told) {
    expect(one.status).toBe("rejected");
    if (one.status === "rejected") expect(GodwitError.is(one.reason, "DATABASE_UNAVAILABLE")).toBe(true);
  }
  expect(tookMs).toBeLessThan(120_000);
  expect(await store.events.lastId()).toBeGreaterThanOrEqual(0);
});

test("the database itself ends queries and transactions that stand still", async () => {
  const database = await Database.open(own.connection);
  const { rows } = await database.read((db) =>
    sql<{ limit: string }>`
      select setting as limit from pg_settings
      where name in ('statement_timeout', 'idle_in_transaction_session_timeout') order by name`.execute(db),
  );
  expect(rows.map(({ limit }) => Number(limit))).toEqual([10_000, 5000]);
  await expect(database.read((db) => sql`select pg_sleep(60)`.execute(db))).rejects.toMatchObject({
    code: "DATABASE_UNAVAILABLE",
  });
  await database.close();
});
