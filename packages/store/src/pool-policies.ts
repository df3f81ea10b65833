/** What pools do by themselves. Setting what is set changes nothing, the time neither, and tells nobody. */
import {
  GodwitError,
  type ConsolidationDecision,
  type ConsolidationPolicy,
  type GuestResetPolicy,
  type HealthPolicy,
  type NewEvent,
  type ServerEvent,
} from "@godwit/contract";
import { sql, type RawBuilder, type Updateable } from "kysely";
import type { Database } from "./database.ts";
import { emit } from "./events.ts";
import type { Schema } from "./schema.ts";

type Changed = Omit<Extract<NewEvent<ServerEvent>, { type: `pool.${string}Changed` }>, "subject">;

export class PoolPolicies {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Whether VMs that died are started again. @throws POOL_UNKNOWN */
  async setRestart(pool: string, enabled: boolean): Promise<void> {
    const since = enabled ? sql<Date>`clock_timestamp()` : null;
    const differs = sql<boolean>`(restart_since is not null) != ${enabled}`;
    await this.#set(pool, { restart_since: since }, differs, {
      type: "pool.restartChanged",
      data: { enabled },
    });
  }

  /** @throws POOL_UNKNOWN */
  async setHealth(pool: string, policy: HealthPolicy): Promise<void> {
    await this.#set(pool, { health: policy }, sql`health != ${policy}`, {
      type: "pool.healthChanged",
      data: { policy },
    });
  }

  /** @throws POOL_UNKNOWN */
  async setAdmission(pool: string, enabled: boolean): Promise<void> {
    await this.#set(pool, { admission: enabled }, sql`admission != ${enabled}`, {
      type: "pool.admissionChanged",
      data: { enabled },
    });
  }

  /** @throws POOL_UNKNOWN */
  async setGuestReset(pool: string, policy: GuestResetPolicy | null): Promise<void> {
    const value = policy === null ? null : JSON.stringify(policy);
    const differs = sql<boolean>`guest_reset is distinct from ${value}::jsonb`;
    await this.#set(pool, { guest_reset: value }, differs, {
      type: "pool.guestResetChanged",
      data: { policy },
    });
  }

  /** What was decided by another policy counts no more. @throws POOL_UNKNOWN */
  async setConsolidation(pool: string, policy: ConsolidationPolicy | null): Promise<void> {
    const value = policy === null ? null : JSON.stringify(policy);
    const differs = sql<boolean>`consolidation is distinct from ${value}::jsonb`;
    await this.#set(pool, { consolidation: value, consolidation_decision: null }, differs, {
      type: "pool.consolidationChanged",
      data: { policy },
    });
  }

  /** Of a pool that saves power still. */
  async decided(pool: string, decision: ConsolidationDecision): Promise<void> {
    await this.#ofSaving(pool, { consolidation_decision: JSON.stringify(decision) });
  }

  /** A VM found no room in a pool that saves power. */
  async short(pool: string, reason: string): Promise<void> {
    const shortage = reason.slice(0, 500);
    await this.#ofSaving(pool, { shortage_at: sql<Date>`clock_timestamp()`, shortage });
  }

  async #set(
    pool: string,
    values: Updateable<Schema["pools"]> | { restart_since: RawBuilder<Date> | null },
    differs: RawBuilder<unknown>,
    changed: Changed,
  ): Promise<void> {
    await this.#database.write(async (tx) => {
      const row = await tx
        .selectFrom("pools")
        .select(differs.$castTo<boolean>().as("differs"))
        .where("name", "=", pool)
        .forUpdate()
        .executeTakeFirst();
      if (row === undefined) throw GodwitError.of("POOL_UNKNOWN", { pool, known: [] });
      if (!row.differs) return;
      await tx.updateTable("pools").set(values).where("name", "=", pool).execute();
      await emit(tx, { ...changed, subject: { kind: "pool", id: pool } } as NewEvent<ServerEvent>);
    });
  }

  async #ofSaving(
    pool: string,
    values: Updateable<Schema["pools"]> | { shortage_at: RawBuilder<Date>; shortage: string },
  ): Promise<void> {
    await this.#database.write(async (tx) => {
      await tx
        .updateTable("pools")
        .set(values)
        .where("name", "=", pool)
        .where("consolidation", "is not", null)
        .execute();
    });
  }
}
