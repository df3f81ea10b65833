/** Many followers of the events: what they cost the database, and what they miss when it goes away: nothing. */
import type { ServerEvent } from "@godwit/contract";
import { expect, test } from "vitest";
import { Store } from "../src/index.ts";
import { OwnPostgres } from "./own-postgres.ts";

const followers = 200;

test("200 followers share one listening connection, and miss nothing when the database restarts", async () => {
  await using own = await OwnPostgres.start();
  const store = await Store.open(own.connection);
  const over = new AbortController();
  try {
    const heard = await Promise.all(
      Array.from({ length: followers }, async () => {
        const ids: number[] = [];
        const events = await store.events.follow(over.signal);
        void (async () => {
          for await (const { id } of events) ids.push(id);
        })();
        return ids;
      }),
    );
    const say = async () => {
      const event = { type: "host.joined", subject: { kind: "host", id: "a" }, data: {} } as const;
      await store.events.append(event);
    };
    const all = async (count: number) => {
      await expect.poll(() => heard.every((ids) => ids.length >= count)).toBe(true);
    };
    await say();
    await all(1);
    const listeners = "select pid from pg_stat_activity where query like 'listen %' or query = 'select 1'";
    const [listener, ...others] = await own.ask<{ pid: number }>(listeners);
    expect(others).toEqual([]);
    const connections = "select pid from pg_stat_activity where backend_type = 'client backend'";
    // The pool, the listener, and this question.
    expect((await own.ask(connections)).length).toBeLessThanOrEqual(14);

    await own.ask("select pg_terminate_backend($1)", [listener?.pid]);
    for (let count = 0; count < 20; count++) await say();
    await all(21);
    process.kill(own.postgres.pid, "SIGKILL");
    const answers = async () =>
      await own.ask("select 1").then(
        () => true,
        () => false,
      );
    await expect.poll(answers, { timeout: 60_000 }).toBe(true);
    await say();
    await all(22);
    expect(new Set(heard.map((ids) => ids.join())).size).toBe(1);
    expect((await own.ask(connections)).length).toBeLessThanOrEqual(14);
  } finally {
    over.abort();
    await store.close();
  }
});

test("a follower that is behind reads what it missed, in order, and then what is new", async () => {
  await using own = await OwnPostgres.start();
  const store = await Store.open(own.connection);
  const over = new AbortController();
  try {
    await store.events.follow(over.signal); // from here on events are kept in memory
    const said = 1700;
    await own.ask(
      `insert into events (type, subject_kind, subject_id, data)
       select 'host.lost', 'host', 'a', jsonb_build_object('reason', number::text) from generate_series(0, $1 - 1) number`,
      [said],
    );
    await own.ask("select pg_notify('godwit_events', '')");
    const reasons: string[] = [];
    for await (const event of await store.events.follow(over.signal, 0)) {
      reasons.push((event as Extract<ServerEvent, { type: "host.lost" }>).data.reason);
      if (reasons.length === said) break;
    }
    expect(reasons).toEqual(Array.from({ length: said }, (_, index) => String(index)));
  } finally {
    over.abort();
    await store.close();
  }
});

test("no follower is told that it follows while nobody listens", async () => {
  await using own = await OwnPostgres.start();
  const store = await Store.open(own.connection);
  await own.postgres.stop();
  await expect(store.events.follow(new AbortController().signal)).rejects.toMatchObject({
    code: "DATABASE_UNAVAILABLE",
  });
  await store.close();
});

test("a store that is closed while news arrive asks the database nothing more", async () => {
  await using own = await OwnPostgres.start();
  const event = { type: "host.joined", subject: { kind: "host", id: "a" }, data: {} } as const;
  const other = await Store.open(own.connection);
  for (let round = 0; round < 20; round++) {
    const store = await Store.open(own.connection);
    const over = new AbortController();
    const following = (async () => {
      for await (const _ of await store.events.follow(over.signal)) if (over.signal.aborted) return;
    })();
    await store.events.lastId();
    await Promise.all(Array.from({ length: 5 }, () => other.events.append(event)));
    over.abort();
    await following;
    await store.close(); // a read that fails after this would end the program
  }
  await other.close();
});
