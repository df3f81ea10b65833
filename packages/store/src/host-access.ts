/**
 * Hosts that were fenced at datastores by fence programs: from before the program runs until they have their access back. Nothing else tells that a
 * storage server refuses a host, so a row goes only when the program has given the access back.
 */
import { GodwitError, type AccessRevoked } from "@godwit/contract";
import type { Database } from "./database.ts";
import { emit } from "./events.ts";
import type { FencedHost } from "./fenced-host.ts";
import type { Writes } from "./schema.ts";

export interface HostAccessRow extends AccessRevoked {
  datastore: string;
  host: string;
  /** Of the boot in which it may still have something to write; null: not known. */
  bootId: string | null;
  /** By what the program was told to fence it. */
  order: FencedHost;
}

export class HostAccess {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async list(): Promise<HostAccessRow[]> {
    const rows = await this.#database.read((db) =>
      db.selectFrom("host_access").selectAll().orderBy("datastore").orderBy("host").execute(),
    );
    return rows.map(({ boot_id: bootId, since, fenced: order, ...row }) => ({
      ...{ ...row, bootId, order },
      since: since.toISOString(),
    }));
  }

  /**
   * A host is about to lose its access. Where it has lost it before, the boot is the new one: whatever ran before that is gone.
   * @param order by what the program is told to fence it
   * @returns the program. @throws HOST_UNKNOWN, DATASTORE_UNKNOWN, DATASTORE_WITHOUT_FENCING
   */
  async revoking(
    datastore: string,
    order: FencedHost,
    { bootId, now }: { bootId: string | null; now: Date },
  ): Promise<string> {
    const { name: host } = order;
    return await this.#database.write(async (tx) => {
      const known = await tx
        .selectFrom("hosts")
        .select("name")
        .where("name", "=", host)
        .forUpdate()
        .executeTakeFirst();
      if (known === undefined) throw GodwitError.of("HOST_UNKNOWN", { host, known: [] });
      const row = await tx
        .selectFrom("datastores")
        .select("fence_program")
        .where("name", "=", datastore)
        .forUpdate()
        .executeTakeFirst();
      if (row === undefined) throw GodwitError.of("DATASTORE_UNKNOWN", { datastore, known: [] });
      if (row.fence_program === null)
        throw GodwitError.of("DATASTORE_WITHOUT_FENCING", { datastore, reason: "it has no fence program" });
      const change = {
        boot_id: bootId,
        state: "revoking" as const,
        reason: null,
        fenced: JSON.stringify(order),
      };
      await tx
        .insertInto("host_access")
        .values({ datastore, host, since: now, ...change })
        .onConflict((on) => on.columns(["datastore", "host"]).doUpdateSet(change))
        .execute();
      await emit(tx, {
        type: "datastore.accessRevoked",
        subject: { kind: "datastore", id: datastore },
        data: { host },
      });
      return row.fence_program;
    });
  }

  async set(
    datastore: string,
    host: string,
    { state, reason }: Pick<HostAccessRow, "state" | "reason">,
  ): Promise<void> {
    await this.#database.write(async (tx) => {
      await tx
        .updateTable("host_access")
        .set({ state, reason })
        .where("datastore", "=", datastore)
        .where("host", "=", host)
        .execute();
    });
  }

  /** It has its access back. */
  async restored(datastore: string, host: string): Promise<void> {
    await this.#database.write(async (tx) => {
      await tx
        .deleteFrom("host_access")
        .where("datastore", "=", datastore)
        .where("host", "=", host)
        .execute();
      await emit(tx, {
        type: "datastore.accessRestored",
        subject: { kind: "datastore", id: datastore },
        data: { host },
      });
    });
  }
}

/** It may be another machine from now on: that it tells another boot says nothing of the one that was fenced. */
export async function forgetBoots(tx: Writes, host: string): Promise<void> {
  await tx.updateTable("host_access").set({ boot_id: null }).where("host", "=", host).execute();
}

/** Null stands for all. @throws DATASTORE_ACCESS_REVOKED of the first host that has not got its access back */
export async function mustHaveAccess(
  tx: Writes,
  { datastore = null, host = null }: { datastore?: string | null; host?: string | null },
): Promise<void> {
  let query = tx.selectFrom("host_access").selectAll().orderBy("datastore").orderBy("host");
  if (datastore !== null) query = query.where("datastore", "=", datastore);
  if (host !== null) query = query.where("host", "=", host);
  const row = await query.executeTakeFirst();
  if (row === undefined) return;
  const { since, reason, ...of } = row;
  throw GodwitError.of("DATASTORE_ACCESS_REVOKED", {
    ...{ datastore: of.datastore, host: of.host },
    ...{ since: since.toISOString(), reason, isBootKnown: of.boot_id !== null },
  });
}
