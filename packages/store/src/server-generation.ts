/**
 * The number that agents hear of this server, by which they refuse the orders of the servers before it: the number that
 * fences its writes, and the lead that this database has over the ones that agents heard before it was restored. The lead
 * is raised by a write, which a server that another one has taken over from cannot do.
 */
import { sql } from "kysely";
import type { Database, Writer } from "./database.ts";

/** A database that was restored is behind its agents by no more; a host that tells more is wrong. */
const largestLead = 1_000_000;

export class ServerGeneration {
  readonly #database: Database;
  /** Null: nobody else writes to this database. */
  readonly #writer: Pick<Writer, "generation"> | null;
  #lead = 0;

  constructor(database: Database, writer: Pick<Writer, "generation"> | null) {
    this.#database = database;
    this.#writer = writer;
  }

  async open(): Promise<void> {
    if (this.#writer === null) return;
    this.#lead = await this.#database.read(async (db) => {
      const { rows } = await sql<{ lead: string }>`select lead from writer_generation`.execute(db);
      return Number(rows[0]?.lead);
    });
  }

  get current(): number {
    return (this.#writer?.generation ?? 0) + this.#lead;
  }

  /**
   * Lets this server's number be larger than one that an agent has heard.
   * @returns whether it is now
   * @throws DATABASE_IN_USE: another server has taken over, so that the agent is right
   */
  async overtake(heard: number): Promise<boolean> {
    if (this.#writer === null || heard > this.current + largestLead) return false;
    const { generation } = this.#writer;
    this.#lead = await this.#database.write(async (tx) => {
      const { rows } = await sql<{ lead: string }>`
        update writer_generation set lead = greatest(lead, ${heard - generation + 1}::bigint) returning lead`.execute(
        tx,
      );
      return Number(rows[0]?.lead);
    });
    return true;
  }
}
