/**
 * The one server that works on a database: an advisory lock of PostgreSQL, held on a connection of its own for the
 * server's life. The database releases it when the connection ends, so that a killed server leaves nothing behind.
 * A lock whose connection is lost is not held any more from that moment: it is taken again, and when another server has
 * taken it meanwhile, this one is told to stop. Until it notices, the generation that it took with the lock keeps it
 * from writing.
 */
import { GodwitError } from "@godwit/contract";
import { sleep } from "@godwit/system";
import pg from "pg";
import { HeldConnection } from "./held-connection.ts";
import { nextGeneration, presentGeneration } from "./writer-generation.ts";

/** Of the database that the connection is to. */
const lockKey = 0x60d71701;
/** A server that was killed a moment ago still has it, and a database that recovers from a crash does not answer yet. */
const heldPatienceMs = 3000;
/** Also of the transactions of a server that is cut off: the database ends them within 10 s. */
const patienceMs = 15_000;
/** The database gives a connection of ours that broke up by then. */
const ownPatienceMs = 12_000;
const retryMs = 200;

export class ServerLock {
  readonly #held: HeldConnection;
  /** Another server has the lock, or had it. */
  readonly #overtaken: (error: GodwitError) => void;
  readonly database: string;
  /** Null: it was never held. */
  #generation: number | null = null;
  #isOvertaken = false;

  private constructor(connection: pg.ClientConfig, overtaken: (error: GodwitError) => void) {
    this.#overtaken = overtaken;
    this.database = nameOf(connection);
    this.#held = new HeldConnection(connection, {
      name: "godwit-server-lock",
      probeEveryMs: 2000,
      answerLimitMs: 4000,
      begin: (client) => this.#begin(client),
      lost: () => {
        void this.#takeAgain();
      },
    });
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
        await lock.#held.open();
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
    return this.#held.isOpen;
  }

  /** What this server's transactions show the database. */
  get generation(): number {
    return this.#generation ?? Number.NaN; // equal to none
  }

  async release(): Promise<void> {
    await this.#held.close();
  }

  async #begin(client: pg.Client): Promise<void> {
    const { rows } = await client.query<{ taken: boolean }>("select pg_try_advisory_lock($1) as taken", [
      lockKey,
    ]);
    if (rows[0]?.taken !== true) throw this.#inUse();
    if (this.#generation === null) {
      this.#generation = await nextGeneration(client);
      return;
    }
    // What this server knows is older than what another one has written meanwhile.
    if ((await presentGeneration(client)) === this.#generation) return;
    const error = this.#inUse();
    this.#stop(error);
    throw error;
  }

  async #takeAgain(): Promise<void> {
    let heldSince: number | null = null;
    while (!this.#held.closed.aborted) {
      try {
        await this.#held.open();
        return;
      } catch (error) {
        if (this.#isOvertaken) return;
        if (GodwitError.is(error, "DATABASE_IN_USE")) {
          // Its own connection of before may still hold it for a moment.
          heldSince ??= performance.now();
          if (performance.now() - heldSince > ownPatienceMs) {
            this.#stop(error);
            return;
          }
        } else heldSince = null;
        await sleep(retryMs, this.#held.closed);
      }
    }
  }

  #stop(error: GodwitError): void {
    this.#isOvertaken = true;
    this.#overtaken(error);
  }

  #inUse(): GodwitError {
    return GodwitError.of("DATABASE_IN_USE", { database: this.database });
  }
}

/** As PostgreSQL's client reads the connection's settings. */
function nameOf(connection: pg.ClientConfig): string {
  const { database, host } = new pg.Client(connection);
  return `${database ?? ""} at ${host}`;
}
