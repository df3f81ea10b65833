/** One server at a time works on a database. */
import type { GodwitError } from "@godwit/contract";
import pg from "pg";
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

/** Ends the connection that holds the lock; whoever waits for it (as no server does) has it next. @returns gives it back */
async function overtake(): Promise<() => Promise<void>> {
  const locks = async (granted: boolean) =>
    await own.ask<{ pid: number }>("select pid from pg_locks where locktype = 'advisory' and granted = $1", [
      granted,
    ]);
  const next = new pg.Client(own.connection);
  await next.connect();
  const taken = next.query("select pg_advisory_lock($1)", [0x60d71701]);
  await expect.poll(async () => (await locks(false)).length).toBe(1);
  const [holder] = await locks(true);
  await own.ask("select pg_terminate_backend($1)", [holder?.pid]);
  await taken;
  return () => next.end();
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
  const store = await Store.open(own.connection, lock);
  const say = async () => {
    await store.events.append({ type: "host.joined", subject: { kind: "host", id: "a" }, data: {} });
  };
  await say();
  const giveBack = await overtake();
  await expect.poll(() => lock.isHeld).toBe(false);
  await expect(say()).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
  await giveBack();
  await expect.poll(() => lock.isHeld).toBe(true);
  await say();
  await store.close();
  await lock.release();
});

test("a server that believes in its lock writes nothing once another server has taken over", async () => {
  const first = await ServerLock.take(own.connection, unexpected);
  // As while the loss of its connection has not reached it.
  const store = await Store.open(own.connection, {
    isHeld: true,
    generation: first.generation,
    database: first.database,
  });
  const say = async (host: string) => {
    await store.events.append({ type: "host.joined", subject: { kind: "host", id: host }, data: {} });
  };
  await say("before");
  await first.release();
  const second = await ServerLock.take(own.connection, unexpected);
  expect(second.generation).toBeGreaterThan(first.generation);
  await expect(say("after")).rejects.toMatchObject({ code: "DATABASE_IN_USE" });
  const hosts = await own.ask<{ subject_id: string }>(
    "select subject_id from events order by id desc limit 1",
  );
  expect(hosts).toEqual([{ subject_id: "before" }]);
  await store.close();
  await second.release();
});

test("a server takes over only when what another one has begun to write is written", async () => {
  const first = await ServerLock.take(own.connection, unexpected);
  const writing = new pg.Client(own.connection);
  await writing.connect();
  await writing.query("begin");
  // As the first statement of each transaction of the server.
  await writing.query("select generation from writer_generation for share");
  await first.release();
  let isTaken = false;
  const taking = ServerLock.take(own.connection, unexpected).then((lock) => {
    isTaken = true;
    return lock;
  });
  const waiters =
    "select pid from pg_stat_activity where application_name = 'godwit-server-lock' and wait_event_type = 'Lock'";
  await expect.poll(async () => (await own.ask(waiters)).length).toBe(1);
  expect(isTaken).toBe(false);
  await writing.query("commit");
  await writing.end();
  await (await taking).release();
});

test("a server that had lost its lock stops when another one has worked meanwhile, also if it has gone", async () => {
  const told = Promise.withResolvers<GodwitError>();
  const lock = await ServerLock.take(own.connection, told.resolve);
  await own.ask("update writer_generation set generation = generation + 1");
  await (
    await overtake()
  )();
  expect((await told.promise).code).toBe("DATABASE_IN_USE");
  expect(lock.isHeld).toBe(false);
  await lock.release();
});

test("a server that another one has taken the lock from is told to stop", async () => {
  const told = Promise.withResolvers<GodwitError>();
  const lock = await ServerLock.take(own.connection, told.resolve);
  const giveBack = await overtake();
  expect((await told.promise).code).toBe("DATABASE_IN_USE");
  expect(lock.isHeld).toBe(false);
  await giveBack();
  await lock.release();
});
