/**
 * The connections to PostgreSQL. Everything is read and written by two methods, which tell "the database does
 * not answer" (DATABASE_UNAVAILABLE, nothing of it is the caller's fault) from every other error. Connecting, waiting
 * for a free connection, each query and the pauses of a transaction are limited: a database that hangs is told within seconds.
 */
import { GodwitError } from "@godwit/contract";
import { Kysely, PostgresDialect, type PostgresPoolClient } from "kysely";
import pg from "pg";
import { migrate } from "./migrate.ts";
import { connectLimitMs, guarded, queryLimitMs, unanswered } from "./guarded.ts";
import type { Queries, Schema, Writes } from "./schema.ts";
import { sleep } from "@godwit/system";
import { mustBeGeneration } from "./writer-generation.ts";

/** The lock that makes this program the one that writes. */
export interface Writer {
  readonly isHeld: boolean;
  readonly generation: number;
  /** Which one it is of, for people. */
  readonly database: string;
}

/** The database ends a query itself by then. */
const statementLimitMs = 5000;
const idleInTransactionLimitMs = 10_000;
const openPatienceMs = 10_000;

export class Database {
  readonly #pool: pg.Pool;
  readonly #kysely: Queries;
  readonly connection: pg.ClientConfig;
  readonly #writer: Writer | null;

  private constructor(connection: pg.ClientConfig, writer: Writer | null) {
    this.connection = connection;
    this.#writer = writer;
    this.#pool = new pg.Pool({
      ...connection,
      max: 12,
      keepAlive: true,
      connectionTimeoutMillis: connectLimitMs,
      statement_timeout: statementLimitMs,
      query_timeout: queryLimitMs,
      idle_in_transaction_session_timeout: idleInTransactionLimitMs,
    });
    // An idle connection that breaks is replaced at the next query.
    this.#pool.on("error", () => undefined);
    // One that breaks while it is in use fails the query; the event alone would end the program.
    this.#pool.on("connect", (client) => {
      client.on("error", () => undefined);
    });
    const pool = {
      options: this.#pool.options,
      connect: async () => limited(await this.#pool.connect()),
      end: async () => {
        await this.#pool.end();
      },
    };
    this.#kysely = new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) });
  }

  /**
   * Connects and brings the schema up to date.
   * @param writer what makes this program the one that writes; null: nobody else does
   * @throws DATABASE_UNAVAILABLE, DATABASE_NEWER
   */
  static async open(connection: pg.ClientConfig, writer: Writer | null = null): Promise<Database> {
    const database = new Database(connection, writer);
    const until = performance.now() + openPatienceMs;
    for (;;) {
      try {
        await guarded(async () => {
          await migrate(connection);
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

  /** All of it or nothing. @throws DATABASE_UNAVAILABLE, DATABASE_IN_USE when another server has taken over */
  async write<T>(statements: (tx: Writes) => Promise<T>): Promise<T> {
    const writer = this.#writer;
    if (writer === null) return await guarded(() => this.#kysely.transaction().execute(statements));
    if (!writer.isHeld) {
      const reason = "this server's lock on it is lost, and is being taken again";
      throw GodwitError.of("DATABASE_UNAVAILABLE", { reason });
    }
    const asWriter = async (tx: Writes): Promise<T> => {
      await mustBeGeneration(tx, writer.generation, writer.database);
      return await statements(tx);
    };
    return await guarded(() => this.#kysely.transaction().execute(asWriter));
  }

  async close(): Promise<void> {
    await this.#kysely.destroy();
  }
}

/**
 * A client of the pool that a transaction or query has. Once a query was not answered in time, nothing that follows on
 * the same connection would be: it is cut, and whoever has it is told at once.
 */
function limited(client: pg.PoolClient): PostgresPoolClient {
  const state: { unanswered: Error | null } = { unanswered: null };
  const query = async (text: string, values: readonly unknown[]) => {
    if (state.unanswered !== null) throw state.unanswered;
    try {
      return await client.query<Record<string, unknown>>(text, [...values]);
    } catch (error) {
      if (unanswered.test((error as Error).message)) {
        state.unanswered = error as Error;
        client.release(true);
      }
      throw error;
    }
  };
  return {
    query,
    release: () => {
      if (state.unanswered === null) client.release();
    },
  } as unknown as PostgresPoolClient;
}

/** Whether an insert met a unique index or key. */
export const isDuplicate = (error: unknown): boolean => (error as { code?: string }).code === "23505";
