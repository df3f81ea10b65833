/** How far pools balance themselves, and their rounds: the newest of each, with what they were planned on. */
import { GodwitError, type PoolBalance, type RoundMove, type TaskId } from "@godwit/contract";
import { sql } from "kysely";
import type { Database } from "./database.ts";
import { emit } from "./events.ts";

export interface PoolRoundRow {
  pool: string;
  number: number;
  at: Date;
  balance: PoolBalance;
  /** The planner's answer, as it was. */
  plan: unknown;
  moves: RoundMove[];
  unmeasured: string[];
}

/** Of each pool. */
const kept = 120;

export class PoolRounds {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Of all pools. */
  async balances(): Promise<Map<string, PoolBalance>> {
    const rows = await this.#database.read((db) =>
      db.selectFrom("pools").select(["name", "automation", "threshold", "goal"]).orderBy("name").execute(),
    );
    return new Map(
      rows.map(({ name, automation, threshold, goal }) => [name, { automation, threshold, goal }]),
    );
  }

  /** @throws POOL_UNKNOWN */
  async setBalance(pool: string, change: Partial<PoolBalance>): Promise<PoolBalance> {
    return await this.#database.write(async (tx) => {
      const row = await tx
        .selectFrom("pools")
        .select(["automation", "threshold", "goal"])
        .where("name", "=", pool)
        .forUpdate()
        .executeTakeFirst();
      if (row === undefined) throw GodwitError.of("POOL_UNKNOWN", { pool, known: [] });
      const balance = { ...row, ...change };
      await tx.updateTable("pools").set(balance).where("name", "=", pool).execute();
      await emit(tx, { type: "pool.balanceChanged", subject: { kind: "pool", id: pool }, data: balance });
      return balance;
    });
  }

  /** @param inputs what it was planned on @returns its number */
  async enter(round: Omit<PoolRoundRow, "number" | "at">, inputs: Buffer): Promise<number> {
    const { pool, balance, plan, moves, unmeasured } = round;
    return await this.#database.write(async (tx) => {
      const { number } = await tx
        .insertInto("pool_rounds")
        .values({
          ...{ pool, inputs, balance: JSON.stringify(balance), plan: JSON.stringify(plan) },
          ...{ moves: JSON.stringify(moves), unmeasured: JSON.stringify(unmeasured) },
        })
        .returning("number")
        .executeTakeFirstOrThrow();
      await sql`
        delete from pool_rounds where pool = ${pool} and number <= (
          select number from pool_rounds where pool = ${pool} order by number desc offset ${kept} limit 1)`.execute(
        tx,
      );
      return Number(number);
    });
  }

  async setMoves(pool: string, number: number, moves: readonly RoundMove[]): Promise<void> {
    await this.#database.write(async (tx) => {
      await tx
        .updateTable("pool_rounds")
        .set({ moves: JSON.stringify(moves) })
        .where("pool", "=", pool)
        .where("number", "=", String(number))
        .execute();
    });
  }

  async moveFailed(
    pool: string,
    data: { vm: string; to: string; task: TaskId; reason: string },
  ): Promise<void> {
    await this.#database.write(async (tx) => {
      await emit(tx, { type: "pool.moveFailed", subject: { kind: "pool", id: pool }, data });
    });
  }

  /** One, or the newest. Null: there is none. */
  async find(pool: string, number: number | null): Promise<PoolRoundRow | null> {
    const row = await this.#database.read((db) => {
      const rounds = db
        .selectFrom("pool_rounds")
        .select(["pool", "number", "at", "balance", "plan", "moves", "unmeasured"])
        .where("pool", "=", pool);
      return (number === null ? rounds : rounds.where("number", "=", String(number)))
        .orderBy("number", "desc")
        .limit(1)
        .executeTakeFirst();
    });
    return row === undefined ? null : { ...row, number: Number(row.number) };
  }

  async inputs(pool: string, number: number): Promise<Buffer | null> {
    const row = await this.#database.read((db) =>
      db
        .selectFrom("pool_rounds")
        .select("inputs")
        .where("pool", "=", pool)
        .where("number", "=", String(number))
        .executeTakeFirst(),
    );
    return row?.inputs ?? null;
  }
}
