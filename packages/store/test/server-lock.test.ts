/** One server at a time works on a database. */
import type { GodwitError } from "@godwit/contract";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ServerLock, Store } from "../src/index.ts";
import { OwnPostgres } from "./own-postgres.ts";

let own: OwnPostgres;
beforeAll(async () => {
  own = await OwnPostgres.start();
});
afterAll(async () => {
  await own[Symbol.asyncDispose]();
});

/** Ends the connection that holds the lock; whoever waits for it (as no server does) has it next, for `seconds`. */
async function overtake(seconds: number): Promise<void> {
  const locks = async (granted: boolean) =>
    await own.ask<{ pid: number }>("select pid from pg_locks where locktype = 'advisory' and granted = $1", [
      granted,
    ]);
  void own.ask("select pg_advisory_lock($1), pg_sleep($2)", [0x60d71701, seconds]).catch(() => undefined);
  await expect.poll(async () => (await locks(false)).length).toBe(1);
  const [holder] = await locks(true);
  await own.ask("select pg_terminate_backend($1)", [holder?.pid]);
}
const unexpected = (error: GodwitError) => {
  throw error;
};

test("a second server is refused by name, and let in when the first has ended", async () => {
  const first = await ServerLock.take(own.connection, unexpected);
  await expect(ServerLock.take(own.connection, unexpected)).rejects.toMatchObject({
    code: "DATABASE_IN_USE",
  });
  await first.release();
  const second = await ServerLock.take(own.connection, unexpected);
  await second.release();
});

test("a server whose lock is lost writes nothing until it has taken it again", async () => {
  const lock = await ServerLock.take(own.connection, unexpected);
  const store = await Store.open(own.connection, () => lock.isHeld);
  const say = async () => {
    await store.events.append({ type: "host.joined", subject: { kind: "host", id: "a" }, data: {} });
  };
  await say();
  await overtake(2);
  await expect.poll(() => lock.isHeld).toBe(false);
  await expect(say()).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
  await expect.poll(() => lock.isHeld, { timeout: 5000 }).toBe(true);
  await say();
  await store.close();
  await lock.release();
});

test("a server that another one has taken the lock from is told to stop", async () => {
  const told = Promise.withResolvers<GodwitError>();
  const lock = await ServerLock.take(own.connection, told.resolve);
  await overtake(25);
  expect((await told.promise).code).toBe("DATABASE_IN_USE");
  expect(lock.isHeld).toBe(false);
  await lock.release();
}, 60_000);
