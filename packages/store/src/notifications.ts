/**
 * Notifications of one channel of PostgreSQL, over one connection for as many listeners as there are. A connection that
 * is lost is made again, more seldom the longer that fails; what happened meanwhile is not told, so that listeners look
 * for themselves whenever they are woken.
 */
import { sleep } from "@godwit/system";
import pg from "pg";
import { HeldConnection } from "./held-connection.ts";

const firstRetryMs = 100;
const longestRetryMs = 3000;

export class Notifications {
  readonly #held: HeldConnection;
  /** At every notification, and when listening has begun again. */
  readonly #heard: () => void;

  constructor(connection: pg.ClientConfig, channel: string, heard: () => void) {
    this.#heard = heard;
    this.#held = new HeldConnection(connection, {
      name: "godwit-notifications",
      probeEveryMs: 5000,
      answerLimitMs: 5000,
      begin: async (client) => {
        client.on("notification", heard);
        await client.query(`listen ${pg.escapeIdentifier(channel)}`);
      },
      lost: () => {
        void this.#again();
      },
    });
  }

  /** Resolves when it listens: what is written from now on is told. @throws DATABASE_UNAVAILABLE */
  async listening(): Promise<void> {
    await this.#held.open();
  }

  async close(): Promise<void> {
    await this.#held.close();
  }

  async #again(): Promise<void> {
    const { closed } = this.#held;
    for (let waitMs = firstRetryMs; !closed.aborted; waitMs = Math.min(waitMs * 2, longestRetryMs)) {
      const open = await this.listening().then(
        () => true,
        () => false,
      );
      if (open) {
        this.#heard();
        return;
      }
      await sleep(waitMs * (0.5 + Math.random()), closed);
    }
  }
}
