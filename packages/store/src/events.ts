/**
 * The server's events: rows with growing ids, written in the transaction that makes them true. Whoever
 * reads in order of id misses none: writers take turns, so ids become visible in their order.
 */
import type { NewEvent, ServerEvent } from "@godwit/contract";
import { Wakeup } from "@godwit/system";
import { sql, type Insertable } from "kysely";
import type { Database, Writes } from "./database.ts";
import type { Schema } from "./schema.ts";

const channel = "godwit_events";
/** Older events are dropped; a reader that was away for longer reads the objects themselves. */
const kept = 20_000;
const batch = 500;

/** Writes an event in the caller's transaction. Call it last: from here to commit other writers wait. */
export async function emit(tx: Writes, { type, subject, data }: NewEvent<ServerEvent>): Promise<void> {
  await sql`lock table events in share row exclusive mode`.execute(tx);
  const row: Insertable<Schema["events"]> = {
    type,
    subject_kind: subject.kind,
    subject_id: subject.id,
    data: JSON.stringify(data),
  };
  await tx.insertInto("events").values(row).execute();
  await sql`select pg_notify(${channel}, '')`.execute(tx);
}

export class Events {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async lastId(): Promise<number> {
    const row = await this.#database.read((db) =>
      db
        .selectFrom("events")
        .select(({ fn }) => fn.max("id").as("id"))
        .executeTakeFirst(),
    );
    return Number(row?.id ?? 0);
  }

  /** Events after `afterId`, for as long as the signal and the database let. */
  async *after(afterId: number, signal: AbortSignal): AsyncGenerator<ServerEvent> {
    let last = afterId;
    const news = new Wakeup();
    const listener = await this.#database.listen(channel, () => {
      news.wake();
    });
    const connection = { lost: false };
    void listener.ended.then(() => {
      connection.lost = true;
      news.wake();
    });
    try {
      while (!signal.aborted && !connection.lost) {
        const events = await this.#read(last);
        for (const event of events) {
          last = event.id;
          yield event;
        }
        if (events.length === 0) await news.next(undefined, signal);
      }
    } finally {
      listener.close();
    }
  }

  async append(event: NewEvent<ServerEvent>): Promise<void> {
    await this.#database.write((tx) => emit(tx, event));
  }

  async trim(): Promise<void> {
    await this.#database.write(async (tx) => {
      await sql`delete from events where id <= (select max(id) from events) - ${kept}`.execute(tx);
    });
  }

  async #read(after: number): Promise<ServerEvent[]> {
    const rows = await this.#database.read((db) =>
      db
        .selectFrom("events")
        .selectAll()
        .where("id", ">", String(after))
        .orderBy("id")
        .limit(batch)
        .execute(),
    );
    // As `emit` has written them.
    return rows.map(
      (row) =>
        ({
          id: Number(row.id),
          at: row.at.toISOString(),
          type: row.type,
          subject: { kind: row.subject_kind, id: row.subject_id },
          data: row.data,
        }) as ServerEvent,
    );
  }
}
