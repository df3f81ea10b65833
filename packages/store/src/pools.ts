/** Pools, their baselines and their hosts. What may be is decided before; here it is written, all or nothing. */
import {
  GodwitError,
  type Baseline,
  type ConsolidationDecision,
  type ConsolidationPolicy,
  type GuestResetPolicy,
  type HealthPolicy,
  type PoolBalance,
} from "@godwit/contract";
import { sql } from "kysely";
import { isDuplicate, type Database } from "./database.ts";
import type { Queries, Writes } from "./schema.ts";
import { emit } from "./events.ts";
import { findReferences } from "./references.ts";

export interface PoolRow {
  name: string;
  createdAt: Date;
  baseline: Baseline | null;
  /** Sorted. */
  hosts: string[];
  /** Since when VMs that died are started again; null: they are not. */
  restartSince: Date | null;
  /** What is done about hosts that are not well. */
  health: HealthPolicy;
  /** Whether VMs start only where the pool then still bears the loss of any one host. */
  admission: boolean;
  /** When VMs are reset whose guests hang; null: they are not. */
  guestReset: GuestResetPolicy | null;
  /** How it saves power; null: it does not. */
  consolidation: ConsolidationPolicy | null;
  /** What it has decided about that last. */
  decision: ConsolidationDecision | null;
  /** When a VM last found no room, and why. */
  shortage: { at: Date; reason: string } | null;
  /** How far it balances itself. */
  balance: PoolBalance;
  /** The number of the newest task when this was read. */
  lastTask: number;
}

export type NewPool = Pick<PoolRow, "name" | "baseline" | "hosts">;

export class Pools {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async list(): Promise<PoolRow[]> {
    const { lastTask, pools, hosts } = await this.#database.read(async (db) => ({
      lastTask: await newestTask(db),
      pools: await db.selectFrom("pools").selectAll().orderBy("name").execute(),
      hosts: await db
        .selectFrom("hosts")
        .select(["name", "pool"])
        .where("pool", "is not", null)
        .orderBy("name")
        .execute(),
    }));
    return pools.map((row) => ({
      name: row.name,
      createdAt: row.created_at,
      baseline: row.evc_mode === null ? null : { mode: row.evc_mode, microcode: row.microcode },
      hosts: hosts.filter(({ pool }) => pool === row.name).map(({ name }) => name),
      restartSince: row.restart_since,
      health: row.health,
      admission: row.admission,
      guestReset: row.guest_reset,
      consolidation: row.consolidation,
      decision: row.consolidation_decision,
      shortage: row.shortage_at === null ? null : { at: row.shortage_at, reason: row.shortage ?? "" },
      balance: { automation: row.automation, threshold: row.threshold, goal: row.goal },
      lastTask,
    }));
  }

  /** @throws POOL_UNKNOWN */
  async show(name: string): Promise<PoolRow> {
    const pools = await this.list();
    const found = pools.find((pool) => pool.name === name);
    if (found === undefined)
      throw GodwitError.of("POOL_UNKNOWN", { pool: name, known: pools.map((pool) => pool.name) });
    return found;
  }

  /** Names and baselines of the pools that these hosts are in, by host. */
  async baselinesOf(hosts: readonly string[]): Promise<Map<string, Pick<PoolRow, "name" | "baseline">>> {
    const rows = await this.#database.read((db) =>
      db
        .selectFrom("hosts")
        .innerJoin("pools", "pools.name", "hosts.pool")
        .select(["hosts.name as host", "pools.name", "pools.evc_mode", "pools.microcode"])
        .where(sql<boolean>`hosts.name = any(${hosts}::text[])`)
        .execute(),
    );
    return new Map(
      rows.map(({ host, name, evc_mode: mode, microcode }) => [
        host,
        { name, baseline: mode === null ? null : { mode, microcode } },
      ]),
    );
  }

  /** The pool that a host is in; null: none. */
  async ofHost(host: string): Promise<PoolRow | null> {
    return (await this.list()).find(({ hosts }) => hosts.includes(host)) ?? null;
  }

  /** The baseline for a VM that comes to a host by the caller's task; a change of it that is under way is waited for. */
  async baselineAt(host: string): Promise<Baseline | null> {
    return await this.#database.write(async (tx) => {
      const row = await tx
        .selectFrom("hosts")
        .select("pool")
        .where("name", "=", host)
        .forShare()
        .executeTakeFirst();
      if (row?.pool == null) return null;
      const pool = await tx
        .selectFrom("pools")
        .selectAll()
        .where("name", "=", row.pool)
        .forShare()
        .executeTakeFirst();
      return pool?.evc_mode == null ? null : { mode: pool.evc_mode, microcode: pool.microcode };
    });
  }

  /** The number of the newest task, before something is judged. */
  async lastTask(): Promise<number> {
    return await this.#database.read(newestTask);
  }

  /**
   * @param lastTask the newest task when the hosts were judged
   * @throws POOL_EXISTS, POOL_CHANGED, HOST_IN_OTHER_POOL, HOST_UNKNOWN
   */
  async create(pool: NewPool, lastTask: number): Promise<void> {
    await this.#database.write(async (tx) => {
      try {
        await tx
          .insertInto("pools")
          .values({ name: pool.name, ...columnsOf(pool.baseline) })
          .execute();
      } catch (error) {
        if (isDuplicate(error)) throw GodwitError.of("POOL_EXISTS", { pool: pool.name }, { cause: error });
        throw error;
      }
      for (const host of pool.hosts) await takeIn(tx, pool.name, host);
      await noneArrives(tx, pool.name, pool.hosts, lastTask);
      await emit(tx, {
        type: "pool.created",
        subject: { kind: "pool", id: pool.name },
        data: { baseline: pool.baseline, hosts: pool.hosts },
      });
    });
  }

  /** @throws POOL_NOT_EMPTY */
  async remove(name: string): Promise<void> {
    await this.#database.write(async (tx) => {
      await locked(tx, name);
      const hosts = (await findReferences(tx, "pool", name)).map((host) => host.name);
      if (hosts.length > 0) throw GodwitError.of("POOL_NOT_EMPTY", { pool: name, hosts });
      await tx.deleteFrom("pools").where("name", "=", name).execute();
      await emit(tx, { type: "pool.removed", subject: { kind: "pool", id: name }, data: {} });
    });
  }

  /**
   * Takes a host into a pool that is as it was judged, and writes the baseline that this leads to.
   * @throws POOL_CHANGED, HOST_IN_OTHER_POOL, HOST_UNKNOWN, POOL_UNKNOWN
   */
  async addHost(judged: PoolRow, host: string, baseline: Baseline | null): Promise<void> {
    const { name } = judged;
    await this.#database.write(async (tx) => {
      await lockedHost(tx, host); // hosts before pools, as everyone
      await unchanged(tx, judged);
      await takeIn(tx, name, host);
      await noneArrives(tx, name, [...judged.hosts, host], judged.lastTask);
      await tx.updateTable("pools").set(columnsOf(baseline)).where("name", "=", name).execute();
      await emit(tx, { type: "pool.hostAdded", subject: { kind: "pool", id: name }, data: { host } });
    });
  }

  async removeHost(name: string, host: string): Promise<void> {
    await this.#database.write(async (tx) => {
      const { numUpdatedRows } = await tx
        .updateTable("hosts")
        .set({ pool: null })
        .where("name", "=", host)
        .where("pool", "=", name)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) return;
      await emit(tx, { type: "pool.hostRemoved", subject: { kind: "pool", id: name }, data: { host } });
    });
  }

  /** Sets the baseline of a pool that is as it was judged. @throws POOL_CHANGED, POOL_UNKNOWN */
  async setBaseline(judged: PoolRow, baseline: Baseline | null): Promise<void> {
    const { name } = judged;
    await this.#database.write(async (tx) => {
      await unchanged(tx, judged);
      await noneArrives(tx, name, judged.hosts, judged.lastTask);
      await tx.updateTable("pools").set(columnsOf(baseline)).where("name", "=", name).execute();
      await emit(tx, {
        type: "pool.baselineChanged",
        subject: { kind: "pool", id: name },
        data: { before: judged.baseline, after: baseline },
      });
    });
  }
}

const columnsOf = (baseline: Baseline | null) => ({
  evc_mode: baseline?.mode ?? null,
  microcode: JSON.stringify(baseline?.microcode ?? []),
});

/** The pool's row, kept from others until the transaction ends. @throws POOL_UNKNOWN */
async function locked(tx: Writes, name: string): Promise<Baseline | null> {
  const row = await tx
    .selectFrom("pools")
    .selectAll()
    .where("name", "=", name)
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) throw GodwitError.of("POOL_UNKNOWN", { pool: name, known: [] });
  return row.evc_mode === null ? null : { mode: row.evc_mode, microcode: row.microcode };
}

/** The pool is as it was judged. @throws POOL_CHANGED, POOL_UNKNOWN */
async function unchanged(tx: Writes, judged: PoolRow): Promise<void> {
  const now = await locked(tx, judged.name);
  const rows = await tx
    .selectFrom("hosts")
    .select("name")
    .where("pool", "=", judged.name)
    .orderBy("name")
    .execute();
  const same =
    now?.mode === judged.baseline?.mode &&
    now?.microcode.join() === judged.baseline?.microcode.join() &&
    rows.map(({ name }) => name).join() === judged.hosts.join();
  if (!same) throw GodwitError.of("POOL_CHANGED", { pool: judged.name });
}

/**
 * No VM is on its way to these hosts that was not when they were judged. Looked at when the pool's row and those of
 * hosts that come are locked: a later task reads the baseline under the same locks, and so waits for this change.
 * @throws POOL_CHANGED
 */
async function noneArrives(tx: Writes, pool: string, hosts: readonly string[], since: number): Promise<void> {
  if (hosts.length === 0) return;
  const arriving = await tx
    .selectFrom("tasks")
    .select("id")
    .where("ended_at", "is", null)
    .where("arrives_at", "in", hosts)
    .where("number", ">", String(since))
    .executeTakeFirst();
  if (arriving !== undefined) throw GodwitError.of("POOL_CHANGED", { pool });
}

/** Of those that are written: one whose transaction has not ended has a larger number, or is seen when it has. */
const newestTask = async (db: Queries): Promise<number> => {
  const row = await db
    .selectFrom("tasks")
    .select(({ fn }) => fn.max("number").as("newest"))
    .executeTakeFirst();
  return Number(row?.newest ?? 0);
};

/** @throws HOST_UNKNOWN */
async function lockedHost(tx: Writes, host: string): Promise<{ pool: string | null }> {
  const row = await tx
    .selectFrom("hosts")
    .select("pool")
    .where("name", "=", host)
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) throw GodwitError.of("HOST_UNKNOWN", { host, known: [] });
  return row;
}

async function takeIn(tx: Writes, pool: string, host: string): Promise<void> {
  const row = await lockedHost(tx, host);
  if (row.pool !== null && row.pool !== pool)
    throw GodwitError.of("HOST_IN_OTHER_POOL", { host, pool, other: row.pool });
  await tx.updateTable("hosts").set({ pool }).where("name", "=", host).execute();
}
