/** The power of hosts: their controllers, whether the server has powered them off, and whether they wake. */
import { GodwitError, type HostPower, type PowerController, type PowerState } from "@godwit/contract";
import { sql, type Selectable } from "kysely";
import type { Database } from "./database.ts";
import { emit } from "./events.ts";
import { taskOn } from "./tasks.ts";
import type { Queries, Schema, Writes } from "./schema.ts";

export interface HostPowerRow extends HostPower {
  host: string;
  controller: PowerController;
  sealedPassword: string | null;
  wakeSeconds: number;
  offSeconds: number;
  /** When its pool woke it last. */
  poolWokeAt: Date | null;
}

export type NewHostPower = Pick<
  HostPowerRow,
  "host" | "controller" | "sealedPassword" | "wakeSeconds" | "offSeconds"
>;

export class HostPowers {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async list(): Promise<HostPowerRow[]> {
    const rows = await this.#database.read((db) =>
      db.selectFrom("host_power").selectAll().orderBy("host").execute(),
    );
    return rows.map(powerRow);
  }

  async find(host: string): Promise<HostPowerRow | null> {
    const row = await this.#database.read((db) =>
      db.selectFrom("host_power").selectAll().where("host", "=", host).executeTakeFirst(),
    );
    return row === undefined ? null : powerRow(row);
  }

  /** @throws HOST_POWER_UNSET */
  async show(host: string): Promise<HostPowerRow> {
    const found = await this.find(host);
    if (found === null) throw GodwitError.of("HOST_POWER_UNSET", { host });
    return found;
  }

  /** Another controller must show for itself that it wakes the host. @throws HOST_TASK_UNDER_WAY */
  async set({ host, controller, sealedPassword, wakeSeconds, offSeconds }: NewHostPower): Promise<void> {
    const given = {
      controller: JSON.stringify(controller),
      sealed_password: sealedPassword,
      wake_seconds: wakeSeconds,
      off_seconds: offSeconds,
    };
    const unknown = { woke_at: null, wake_failed_at: null, wake_failure: null };
    await this.#database.write(async (tx) => {
      await mustBeFree(tx, host);
      await tx
        .insertInto("host_power")
        .values({ host, ...given, ...unknown })
        .onConflict((conflict) => conflict.column("host").doUpdateSet({ ...given, ...unknown }))
        .execute();
    });
  }

  /** @throws HOST_TASK_UNDER_WAY */
  async unset(host: string): Promise<void> {
    await this.#database.write(async (tx) => {
      await mustBeFree(tx, host);
      await tx.deleteFrom("host_power").where("host", "=", host).execute();
    });
  }

  /** @param state null: it is as its agent tells. @param pool that does it to save power; null: an operator */
  async enter(host: string, state: PowerState | null, pool: string | null): Promise<void> {
    await this.#database.write((tx) => enterState(tx, host, state, pool));
  }

  /** It answers. @param wasOff because it was powered on: it is known to wake. @param forPool its pool needed it */
  async woke(host: string, { wasOff, forPool }: { wasOff: boolean; forPool: boolean }): Promise<void> {
    await this.#database.write(async (tx) => {
      await enterState(tx, host, null, null);
      await tx
        .updateTable("host_power")
        .set({
          wake_failed_at: null,
          wake_failure: null,
          ...(wasOff ? { woke_at: sql<Date>`clock_timestamp()` } : {}),
          ...(forPool ? { pool_woke_at: sql<Date>`clock_timestamp()` } : {}),
        })
        .where("host", "=", host)
        .execute();
    });
  }

  /** @param state what it is taken for then */
  async didNotWake(
    host: string,
    reason: string,
    { state, pool }: Pick<HostPower, "state" | "pool">,
  ): Promise<void> {
    await this.#database.write(async (tx) => {
      await enterState(tx, host, state, pool);
      await tx
        .updateTable("host_power")
        .set({ wake_failed_at: sql<Date>`clock_timestamp()`, wake_failure: reason })
        .where("host", "=", host)
        .execute();
      await emit(tx, { type: "host.didNotWake", subject: { kind: "host", id: host }, data: { reason } });
    });
  }
}

/** By host, of those that have a controller. */
export async function powersOf(db: Queries, hosts: readonly string[]): Promise<Map<string, HostPower>> {
  const rows = await db
    .selectFrom("host_power")
    .selectAll()
    .where(sql<boolean>`host = any(${hosts}::text[])`)
    .execute();
  return new Map(rows.map((row) => [row.host, powerOf(powerRow(row))]));
}

/** What others see of it. */
export const powerOf = ({ kind, state, since, pool, wokeAt, wakeFailure }: HostPowerRow): HostPower => ({
  ...{ kind, state, since, pool, wokeAt, wakeFailure },
});

/** Of a host without a controller nothing is written. */
export async function enterState(
  tx: Writes,
  host: string,
  state: PowerState | null,
  pool: string | null,
): Promise<void> {
  const { numUpdatedRows } = await tx
    .updateTable("host_power")
    .set({
      state,
      state_since: state === null ? null : sql<Date>`clock_timestamp()`,
      state_pool: state === null ? null : pool,
    })
    .where("host", "=", host)
    .where("state", "is distinct from", state)
    .executeTakeFirst();
  if (numUpdatedRows === 0n) return;
  await emit(tx, { type: "host.powerChanged", subject: { kind: "host", id: host }, data: { state, pool } });
}

/** Nobody works with the controller meanwhile. */
async function mustBeFree(tx: Writes, host: string): Promise<void> {
  const other = await taskOn(tx, { kind: "host", id: host });
  if (other === null) return;
  throw GodwitError.of("HOST_TASK_UNDER_WAY", { host, task: other.id, what: other.description });
}

const powerRow = (row: Selectable<Schema["host_power"]>): HostPowerRow => ({
  host: row.host,
  controller: row.controller,
  sealedPassword: row.sealed_password,
  wakeSeconds: row.wake_seconds,
  offSeconds: row.off_seconds,
  poolWokeAt: row.pool_woke_at,
  kind: row.controller.kind,
  state: row.state,
  since: row.state_since?.toISOString() ?? null,
  pool: row.state_pool,
  wokeAt: row.woke_at?.toISOString() ?? null,
  wakeFailure:
    row.wake_failed_at === null
      ? null
      : { at: row.wake_failed_at.toISOString(), reason: row.wake_failure ?? "" },
});
