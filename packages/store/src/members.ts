/**
 * The list of the cluster's members, with a generation that grows whenever it changes: agents take a list only if it is
 * newer than their own.
 */
import type { MemberList } from "@godwit/contract";
import { sql } from "kysely";
import type { Database } from "./database.ts";
import type { Writes } from "./schema.ts";

/** An agent may be ahead of a database that was restored from a backup by so much; more is no list of this cluster. */
const largestLead = 1_000_000;

export class Members {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async list(): Promise<MemberList> {
    return await this.#database.read(async (db) => {
      // The generation first: a list that is newer than its generation is only sent once more.
      const { generation } = await db.selectFrom("membership").selectAll().executeTakeFirstOrThrow();
      const hosts = await db
        .selectFrom("hosts")
        .select(["name", "member_id", "certificate_in_use"])
        .orderBy("name")
        .execute();
      return {
        generation: Number(generation),
        hosts: hosts.map((host) => ({
          name: host.name,
          id: host.member_id,
          certificate: host.certificate_in_use,
        })),
      };
    });
  }

  /** Lets this database's list be newer than an agent's. @returns whether it is now */
  async overtake(generation: number): Promise<boolean> {
    return await this.#database.write(async (tx) => {
      const row = await tx.selectFrom("membership").selectAll().forUpdate().executeTakeFirstOrThrow();
      const own = Number(row.generation);
      if (generation > own + largestLead) return false;
      if (generation >= own)
        await tx
          .updateTable("membership")
          .set({ generation: generation + 1 })
          .execute();
      return true;
    });
  }
}

/** In the transaction that changes who belongs to the cluster. */
export async function membersChanged(tx: Writes): Promise<void> {
  await tx
    .updateTable("membership")
    .set({ generation: sql<number>`generation + 1` })
    .execute();
}
