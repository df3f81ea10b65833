/**
 * The connection to PostgreSQL. Everything is read and written by two methods, which tell "the database does
 * not answer" (DATABASE_UNAVAILABLE, nothing of it is the caller's fault) from every other error.
 */
import { GodwitError } from "@godwit/contract";
import { Kysely, PostgresDialect, type Transaction } from "kysely";
import pg from "pg";
import { migrate } from "./migrate.ts";
import type { Schema } from "./schema.ts";
import { sleep } from "@godwit/system";

export type Queries = Kysely<Schema>;
export type Writes = Transaction<Schema>;

const connectTimeoutMs = 3000;
const openPatienceMs = 10_000;

export class Database {
  readonly #pool: pg.Pool;
  readonly #kysely: Queries;
  readonly #connection: pg.ClientConfig;

  private constructor(connection: pg.ClientConfig) {
    this.#connection = connection;
    this.#pool = new pg.Pool({
      ...connection,
      max: 12,
      connectionTimeoutMillis: connectTimeoutMs,
      statement_timeout: 15_000,
    });
    // An idle connection that breaks is replaced at the next query.
    this.#pool.on("error", () => undefined);
    // One that breaks while it is in use fails the query; the event alone would end the program.
    this.#pool.on("connect", (client) => {
      client.on("error", () => undefined);
    });
    this.#kysely = new Kysely<Schema>({ dialect: new PostgresDialect({ pool: this.#pool }) });
  }

  /**
   * Connects and brings the schema up to date.
   * @throws DATABASE_UNAVAILABLE, DATABASE_NEWER
   */
  static async open(connection: pg.ClientConfig): Promise<Database> {
    const database = new Database(connection);
    const until = performance.now() + openPatienceMs;
    for (;;) {
      try {
        await guarded(async () => {
          await migrate(database.#pool);
        });
        return database;
      } catch (error) {
        // One that recovers from a crash answers only when it is done.
        if (GodwitError.is(error, "DATABASE_UNAVAILABLE") && performance.now() < until) {
          await sleep(200);
          continue;
        }
        await database.close();
        throw error;
      }
    }
  }

  async read<T>(query: (db: Queries) => Promise<T>): Promise<T> {
    return await guarded(() => query(this.#kysely));
  }

  /** All of it or nothing. */
  async write<T>(statements: (tx: Writes) => Promise<T>): Promise<T> {
    return await guarded(() => this.#kysely.transaction().execute(statements));
  }

  /** Listens to notifications of a channel until the connection breaks or is closed. */
  async listen(
    channel: string,
    onNotification: () => void,
  ): Promise<{ ended: Promise<void>; close: () => void }> {
    const client = new pg.Client({ ...this.#connection, connectionTimeoutMillis: connectTimeoutMs });
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const end = () => {
      resolve(undefined);
    };
    client.on("error", end);
    client.on("end", end);
    client.on("notification", onNotification);
    await guarded(async () => {
      await client.connect();
      await client.query(`listen ${pg.escapeIdentifier(channel)}`);
    });
    return { ended: promise, close: () => void client.end().catch(end) };
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

const refusals = /^(?:08|53|57P|58)/;
const systemCodes = new Set(["ECONNREFUSED", "ECONNRESET", "ENOENT", "EPIPE", "ETIMEDOUT", "ENOTFOUND"]);

async function guarded<T>(query: () => Promise<T>): Promise<T> {
  try {
    return await query();
  } catch (error) {
    const { code = "", message } = error as { code?: string; message: string };
    const lost =
      refusals.test(code) ||
      systemCodes.has(code) ||
      /connection terminated|timeout exceeded when trying to connect|not queryable/i.test(message);
    if (!lost) throw error;
    throw GodwitError.of("DATABASE_UNAVAILABLE", { reason: message }, { cause: error });
  }
}

/** Whether an insert met a unique index or key. */
export const isDuplicate = (error: unknown): boolean => (error as { code?: string }).code === "23505";
