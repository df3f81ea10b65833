/**
 * The one server that works on a database: an advisory lock of PostgreSQL, held on a connection of its own for the
 * server's life. The database releases it when the connection ends, so that a killed server leaves nothing behind.
 * A lock whose connection is lost is not held any more from that moment: it is taken again, and when another server has
 * taken it meanwhile, this one is told to stop.
 */
import { GodwitError } from "@godwit/contract";
import { sleep } from "@godwit/system";
import pg from "pg";
import { connectLimitMs, guarded } from "./database.ts";

/** Of the database that the connection is to. */
const lockKey = 0x60d71701;
/** A server that was killed a moment ago still has it, and a database that recovers from a crash does not answer yet. */
const patienceMs = 10_000;
const heldPatienceMs = 3000;
/** The database gives a connection of ours that broke up by then. */
const ownPatienceMs = 12_000;
const retryMs = 200;
/** A connection may be dead without a sign; asking it tells. */
const probeEveryMs = 2000;
const probeLimitMs = 4000;
/** By which the database notices that a server's host is gone. */
const noticeSettings = [
  "set tcp_keepalives_idle = 5",
  "set tcp_keepalives_interval = 2",
  "set tcp_keepalives_count = 3",
  "set tcp_user_timeout = 10000",
];

export class ServerLock {
  readonly #connection: pg.ClientConfig;
  readonly #closed = new AbortController();
  #client: pg.Client | null = null;
  /** Another server has the lock. */
  readonly #overtaken: (error: GodwitError) => void;

  private constructor(connection: pg.ClientConfig, overtaken: (error: GodwitError) => void) {
    this.#connection = connection;
    this.#overtaken = overtaken;
  }

  /** @throws DATABASE_IN_USE, DATABASE_UNAVAILABLE */
  static async take(
    connection: pg.ClientConfig,
    overtaken: (error: GodwitError) => void,
  ): Promise<ServerLock> {
    const lock = new ServerLock(connection, overtaken);
    const start = performance.now();
    for (;;) {
      try {
        await lock.#take();
        return lock;
      } catch (error) {
        const limit = GodwitError.is(error, "DATABASE_IN_USE") ? heldPatienceMs : patienceMs;
        if (!GodwitError.is(error) || performance.now() - start > limit) throw error;
        await sleep(retryMs);
      }
    }
  }

  /** Whether it is held, as far as is known. */
  get isHeld(): boolean {
    return this.#client !== null;
  }

  async release(): Promise<void> {
    this.#closed.abort();
    const client = this.#client;
    this.#client = null;
    await client?.end().catch(() => undefined);
  }

  async #take(): Promise<void> {
    const client = new pg.Client({
      ...this.#connection,
      keepAlive: true,
      application_name: "godwit-server-lock",
      connectionTimeoutMillis: connectLimitMs,
      query_timeout: probeLimitMs,
    });
    const lost = () => {
      this.#lost(client);
    };
    client.on("error", lost);
    client.on("end", lost);
    const taken = await guarded(async () => {
      try {
        await client.connect();
        for (const setting of noticeSettings) await client.query(setting);
        const { rows } = await client.query<{ taken: boolean }>("select pg_try_advisory_lock($1) as taken", [
          lockKey,
        ]);
        return rows[0]?.taken === true;
      } catch (error) {
        void client.end().catch(() => undefined);
        throw error;
      }
    });
    if (!taken) {
      await client.end().catch(() => undefined);
      throw GodwitError.of("DATABASE_IN_USE", { database: nameOf(client) });
    }
    this.#client = client;
    void this.#probe(client);
  }

  async #probe(client: pg.Client): Promise<void> {
    while (this.#client === client) {
      await sleep(probeEveryMs, this.#closed.signal);
      if (this.#client !== client) return;
      await client.query("select 1").catch(() => {
        this.#lost(client);
      });
    }
  }

  #lost(client: pg.Client): void {
    if (this.#client !== client) return;
    this.#client = null;
    void client.end().catch(() => undefined);
    void this.#takeAgain();
  }

  async #takeAgain(): Promise<void> {
    let heldSince: number | null = null;
    while (!this.#closed.signal.aborted) {
      try {
        await this.#take();
        return;
      } catch (error) {
        if (GodwitError.is(error, "DATABASE_IN_USE")) {
          // Its own connection of before may still hold it for a moment.
          heldSince ??= performance.now();
          if (performance.now() - heldSince > ownPatienceMs) {
            this.#overtaken(error);
            return;
          }
        } else heldSince = null;
        await sleep(retryMs, this.#closed.signal);
      }
    }
  }
}

const nameOf = ({ database, host }: pg.Client): string => `${database ?? ""} at ${host}`;
