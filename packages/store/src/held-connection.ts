/**
 * A connection to PostgreSQL of its own, held for as long as its owner lives: for what a connection of a pool cannot
 * keep, as an advisory lock or listening to a channel. It is asked now and then, because a connection may be dead without
 * a sign, and the database notices in the same way when this program's host is gone. Once it is lost its owner is told,
 * and opens it again.
 */
import { sleep } from "@godwit/system";
import pg from "pg";
import { connectLimitMs, guarded } from "./guarded.ts";

export interface HeldConnectionOptions {
  /** As the database's administrator sees it. */
  name: string;
  probeEveryMs: number;
  /** Of each question on it. */
  answerLimitMs: number;
  /** What it is held for, done on the new connection. What it throws fails the opening. */
  begin: (client: pg.Client) => Promise<void>;
  lost: () => void;
}

/** By which the database notices that a program's host is gone. */
const noticeSettings = [
  "set tcp_keepalives_idle = 5",
  "set tcp_keepalives_interval = 2",
  "set tcp_keepalives_count = 3",
  "set tcp_user_timeout = 10000",
].join("; ");

export class HeldConnection {
  readonly #connection: pg.ClientConfig;
  readonly #options: HeldConnectionOptions;
  readonly #closed = new AbortController();
  #client: pg.Client | null = null;
  #opening: Promise<void> | null = null;

  constructor(connection: pg.ClientConfig, options: HeldConnectionOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /** Whether it is held, as far as is known. */
  get isOpen(): boolean {
    return this.#client !== null;
  }

  /** Aborted when it is closed for good. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** One attempt, for all who ask meanwhile. @throws DATABASE_UNAVAILABLE, what `begin` throws */
  async open(): Promise<void> {
    if (this.#client !== null) return;
    this.#opening ??= this.#open().finally(() => {
      this.#opening = null;
    });
    await this.#opening;
  }

  async close(): Promise<void> {
    this.#closed.abort();
    const client = this.#client;
    this.#client = null;
    await client?.end().catch(() => undefined);
  }

  async #open(): Promise<void> {
    const client = new pg.Client({
      ...this.#connection,
      keepAlive: true,
      application_name: this.#options.name,
      connectionTimeoutMillis: connectLimitMs,
      query_timeout: this.#options.answerLimitMs,
    });
    for (const event of ["error", "end"] as const) {
      client.on(event, () => {
        this.#lost(client);
      });
    }
    try {
      await guarded(async () => {
        await client.connect();
        await client.query(noticeSettings);
        await this.#options.begin(client);
      });
    } catch (error) {
      void client.end().catch(() => undefined);
      throw error;
    }
    if (this.#closed.signal.aborted) {
      await client.end().catch(() => undefined);
      return;
    }
    this.#client = client;
    void this.#probe(client);
  }

  async #probe(client: pg.Client): Promise<void> {
    while (this.#client === client) {
      await sleep(this.#options.probeEveryMs, this.#closed.signal);
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
    this.#options.lost();
  }
}
