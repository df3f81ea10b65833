/**
 * The server's events: rows with growing ids, written in the transaction that makes them true. Whoever
 * reads in order of id misses none: writers take turns, so ids become visible in their order.
 * Followers cost no connection of the database: one reader for all keeps the newest events in memory.
 */
import type { NewEvent, ServerEvent } from "@godwit/contract";
import { GodwitError } from "@godwit/contract";
import { Wakeup } from "@godwit/system";
import { sql, type Insertable, type Selectable } from "kysely";
import type { Database } from "./database.ts";
import { Notifications } from "./notifications.ts";
import type { Schema, Writes } from "./schema.ts";

const channel = "godwit_events";
/** Older events are dropped; a reader that was away for longer reads the objects themselves. */
const kept = 20_000;
const batch = 500;
/** The newest events, for followers that are not behind. */
const inMemory = 1000;
/** After a failure to read: nothing tells that the database answers again. */
const readAgainMs = 1000;

/** Writes an event in the caller's transaction. Call it last: from here to commit other writers wait. */
export async function emit(tx: Writes, event: NewEvent<ServerEvent>): Promise<void> {
  await emitAll(tx, [event]);
}

/** As `emit`, for several at once, in their order. */
export async function emitAll(tx: Writes, events: readonly NewEvent<ServerEvent>[]): Promise<void> {
  if (events.length === 0) return;
  await sql`lock table events in share row exclusive mode`.execute(tx);
  const rows: Insertable<Schema["events"]>[] = events.map(({ type, subject, data }) => ({
    type,
    subject_kind: subject.kind,
    subject_id: subject.id,
    data: JSON.stringify(data),
  }));
  await tx.insertInto("events").values(rows).execute();
  await sql`select pg_notify(${channel}, '')`.execute(tx);
}

export class Events {
  readonly #database: Database;
  readonly #notifications: Notifications;
  /** The newest, without a gap after the id `#since`. */
  readonly #newest: ServerEvent[] = [];
  #since: number | null = null;
  readonly #followers = new Set<Wakeup>();
  #reading: Promise<void> | null = null;
  #readAgain = false;
  #retry: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(database: Database) {
    this.#database = database;
    this.#notifications = new Notifications(database.connection, channel, () => {
      this.#readNews();
    });
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

  /**
   * Events after `afterId` (default: from now on), for as long as the signal lets. Resolves when it listens, so that
   * no event from then on is missed; a database that is away later is waited for.
   * @throws DATABASE_UNAVAILABLE
   */
  async follow(signal: AbortSignal, afterId?: number): Promise<AsyncGenerator<ServerEvent>> {
    await this.#notifications.listening();
    const last = await this.lastId();
    this.#since ??= last;
    // An id that there was never is of another database, as before a restore: waiting for it would be waiting for ever.
    return this.#after(Math.min(afterId ?? last, last), signal);
  }

  async append(event: NewEvent<ServerEvent>): Promise<void> {
    await this.#database.write((tx) => emit(tx, event));
  }

  async trim(): Promise<void> {
    await this.#database.write(async (tx) => {
      await sql`delete from events where id <= (select max(id) from events) - ${kept}`.execute(tx);
    });
  }

  /** What is being read is waited for: nothing is asked of the database once this resolves. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    await this.#notifications.close();
    await this.#reading;
    clearTimeout(this.#retry);
  }

  async *#after(afterId: number, signal: AbortSignal): AsyncGenerator<ServerEvent> {
    let last = afterId;
    const news = new Wakeup();
    this.#followers.add(news);
    try {
      while (!signal.aborted) {
        const events = await this.#next(last);
        for (const event of events ?? []) {
          last = event.id;
          yield event;
        }
        if (events === null) await news.next(readAgainMs, signal);
        else if (events.length === 0) await news.next(undefined, signal);
      }
    } finally {
      this.#followers.delete(news);
    }
  }

  /** The next events after `last`: from memory where they are there, else from the database; null: it does not answer. */
  async #next(last: number): Promise<ServerEvent[] | null> {
    if (this.#since !== null && last >= this.#since) {
      const first = this.#newest.findIndex(({ id }) => id > last);
      return first === -1 ? [] : this.#newest.slice(first, first + batch);
    }
    return await this.#read(last).catch(whenUnavailable(null));
  }

  /** Has what is new read once for all followers; several requests at once are one. */
  #readNews(): void {
    if (this.#isClosed) return;
    if (this.#reading !== null) {
      this.#readAgain = true;
      return;
    }
    this.#reading = this.#takeNews().finally(() => {
      this.#reading = null;
      if (!this.#readAgain) return;
      this.#readAgain = false;
      this.#readNews();
    });
  }

  async #takeNews(): Promise<void> {
    if (this.#since === null) return;
    const last = this.#newest.at(-1)?.id ?? this.#since;
    const events = await this.#read(last).catch(whenUnavailable(null));
    if (events === null) {
      clearTimeout(this.#retry);
      this.#retry = setTimeout(() => {
        this.#readNews();
      }, readAgainMs);
      return;
    }
    this.#newest.push(...events);
    const old = this.#newest.splice(0, Math.max(0, this.#newest.length - inMemory));
    this.#since = old.at(-1)?.id ?? this.#since;
    if (events.length === batch) this.#readAgain = true;
    if (events.length > 0) for (const follower of this.#followers) follower.wake();
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
    return rows.map(eventOf);
  }
}

/** As `emit` has written it. */
const eventOf = (row: Selectable<Schema["events"]>): ServerEvent =>
  ({
    id: Number(row.id),
    at: row.at.toISOString(),
    type: row.type,
    subject: { kind: row.subject_kind, id: row.subject_id },
    data: row.data,
  }) as ServerEvent;

const whenUnavailable =
  <T>(instead: T) =>
  (error: unknown): T => {
    if (GodwitError.is(error, "DATABASE_UNAVAILABLE")) return instead;
    throw error;
  };
