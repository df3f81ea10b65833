/**
 * Notifications of one channel of PostgreSQL, over one connection for as many listeners as there are. A connection that
 * is lost is made again, more seldom the longer that fails; what happened meanwhile is not told, so that listeners look
 * for themselves whenever they are woken.
 */
import { sleep } from "@godwit/system";
import pg from "pg";
import { connectLimitMs, guarded } from "./database.ts";

const firstRetryMs = 100;
const longestRetryMs = 3000;
/** A connection that nothing is said on may be dead without a sign; asking it tells. */
const probeEveryMs = 5000;
const probeLimitMs = 5000;

export class Notifications {
  readonly #connection: pg.ClientConfig;
  readonly #channel: string;
  /** At every notification, and when listening has begun again. */
  readonly #heard: () => void;
  readonly #closed = new AbortController();
  #client: pg.Client | null = null;
  #opening: Promise<void> | null = null;

  constructor(connection: pg.ClientConfig, channel: string, heard: () => void) {
    this.#connection = connection;
    this.#channel = channel;
    this.#heard = heard;
  }

  /** Resolves when it listens: what is written from now on is told. @throws DATABASE_UNAVAILABLE */
  async listening(): Promise<void> {
    if (this.#client !== null) return;
    this.#opening ??= this.#open().finally(() => {
      this.#opening = null;
    });
    await this.#opening;
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#client?.end().catch(() => undefined);
  }

  async #open(): Promise<void> {
    const client = new pg.Client({
      ...this.#connection,
      keepAlive: true,
      connectionTimeoutMillis: connectLimitMs,
      query_timeout: probeLimitMs,
    });
    client.on("error", () => {
      this.#lost(client);
    });
    client.on("end", () => {
      this.#lost(client);
    });
    client.on("notification", this.#heard);
    await guarded(async () => {
      try {
        await client.connect();
        await client.query(`listen ${pg.escapeIdentifier(this.#channel)}`);
      } catch (error) {
        void client.end().catch(() => undefined);
        throw error;
      }
    });
    if (this.#closed.signal.aborted) {
      await client.end().catch(() => undefined);
      return;
    }
    this.#client = client;
    void this.#probe(client);
  }

  async #probe(client: pg.Client): Promise<void> {
    while (this.#client === client && !this.#closed.signal.aborted) {
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
    void this.#again();
  }

  async #again(): Promise<void> {
    for (
      let waitMs = firstRetryMs;
      !this.#closed.signal.aborted;
      waitMs = Math.min(waitMs * 2, longestRetryMs)
    ) {
      const open = await this.listening().then(
        () => true,
        () => false,
      );
      if (open) {
        this.#heard();
        return;
      }
      await sleep(waitMs * (0.5 + Math.random()), this.#closed.signal);
    }
  }
}
