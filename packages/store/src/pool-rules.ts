/** Rules of pools. Whether one can hold beside the others is judged while the pool's row is locked: two that are made at once see each other. */
import { GodwitError, type PoolRuleTerms, type VmId } from "@godwit/contract";
import { sql } from "kysely";
import type { Database } from "./database.ts";
import { emit } from "./events.ts";
import { mustBeHosts } from "./must-be-hosts.ts";
import type { Queries, Writes } from "./schema.ts";

export interface PoolRuleRow {
  pool: string;
  name: string;
  createdAt: Date;
  terms: PoolRuleTerms;
  /** In order of their names. */
  vms: { id: VmId; name: string }[];
  hosts: string[];
}

export type EnteredRule = Omit<PoolRuleRow, "createdAt">;

/** Of one pool. */
const mostRules = 1000;

export class PoolRules {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Of one pool, or of all; in order of their names. */
  async list(pool: string | null): Promise<PoolRuleRow[]> {
    return await this.#database.read((db) => rowsOf(db, pool));
  }

  /**
   * @param judge what the pool has beside it; what it throws is why the rule is not entered
   * @param replaces whether it takes the place of the rule of its name; that one stays when this one is not entered
   * @throws POOL_UNKNOWN, POOL_RULE_EXISTS, POOL_RULE_UNKNOWN, POOL_RULES_TOO_MANY, VM_UNKNOWN, HOST_UNKNOWN
   */
  async add(
    rule: EnteredRule,
    judge: (others: readonly PoolRuleRow[]) => void,
    replaces = false,
  ): Promise<void> {
    const { pool, name, terms, vms, hosts } = rule;
    await this.#database.write(async (tx) => {
      // Hosts before pools, as everyone; and VMs, which a removal would take away meanwhile.
      await mustBeThere(tx, rule);
      const row = await tx
        .selectFrom("pools")
        .select("name")
        .where("name", "=", pool)
        .forUpdate()
        .executeTakeFirst();
      if (row === undefined) throw GodwitError.of("POOL_UNKNOWN", { pool, known: [] });
      if (replaces) await removeRule(tx, pool, name);
      const others = await rowsOf(tx, pool);
      if (others.some((one) => one.name === name))
        throw GodwitError.of("POOL_RULE_EXISTS", { pool, rule: name });
      if (others.length >= mostRules) throw GodwitError.of("POOL_RULES_TOO_MANY", { pool, most: mostRules });
      judge(others);
      await tx
        .insertInto("pool_rules")
        .values({ pool, name, terms: JSON.stringify(terms) })
        .execute();
      const rows = { vms: vms.map(({ id }) => ({ pool, rule: name, vm: id })), hosts };
      if (rows.vms.length > 0) await tx.insertInto("pool_rule_vms").values(rows.vms).execute();
      if (hosts.length > 0)
        await tx
          .insertInto("pool_rule_hosts")
          .values(hosts.map((host) => ({ pool, rule: name, host })))
          .execute();
      await emit(tx, {
        type: "pool.ruleAdded",
        subject: { kind: "pool", id: pool },
        data: { rule: name, terms, vms: vms.map((vm) => vm.name), hosts },
      });
    });
  }

  /** @throws POOL_RULE_UNKNOWN */
  async remove(pool: string, name: string): Promise<void> {
    await this.#database.write(async (tx) => {
      await removeRule(tx, pool, name);
    });
  }
}

/** @throws POOL_RULE_UNKNOWN */
async function removeRule(tx: Writes, pool: string, name: string): Promise<void> {
  const { numDeletedRows } = await tx
    .deleteFrom("pool_rules")
    .where("pool", "=", pool)
    .where("name", "=", name)
    .executeTakeFirst();
  if (numDeletedRows === 0n) {
    const known = (await rowsOf(tx, pool)).map((rule) => rule.name);
    throw GodwitError.of("POOL_RULE_UNKNOWN", { pool, rule: name, known });
  }
  await emit(tx, { type: "pool.ruleRemoved", subject: { kind: "pool", id: pool }, data: { rule: name } });
}

/** @throws VM_UNKNOWN, HOST_UNKNOWN */
async function mustBeThere(tx: Writes, { vms, hosts }: EnteredRule): Promise<void> {
  await mustBeHosts(tx, hosts);
  const ids = await tx
    .selectFrom("vms")
    .select("id")
    .where(sql<boolean>`id = any(${vms.map(({ id }) => id)}::uuid[])`)
    .orderBy("id")
    .forShare()
    .execute();
  const lost = vms.find((vm) => !ids.some(({ id }) => id === vm.id));
  if (lost !== undefined) throw GodwitError.of("VM_UNKNOWN", { vm: lost.name });
}

async function rowsOf(db: Queries, pool: string | null): Promise<PoolRuleRow[]> {
  const of = (column: string) => sql<boolean>`(${pool}::text is null or ${sql.ref(column)} = ${pool})`;
  const rules = await db
    .selectFrom("pool_rules")
    .selectAll()
    .where(of("pool_rules.pool"))
    .orderBy("pool")
    .orderBy("name")
    .execute();
  if (rules.length === 0) return [];
  const vms = await db
    .selectFrom("pool_rule_vms")
    .innerJoin("vms", "vms.id", "pool_rule_vms.vm")
    .select(["pool_rule_vms.pool", "rule", "vms.id", "vms.name"])
    .where(of("pool_rule_vms.pool"))
    .orderBy("vms.name")
    .execute();
  const hosts = await db
    .selectFrom("pool_rule_hosts")
    .selectAll()
    .where(of("pool_rule_hosts.pool"))
    .orderBy("host")
    .execute();
  const keyOf = ({ pool, rule }: { pool: string; rule: string }) => `${pool} ${rule}`;
  const vmsOf = Map.groupBy(vms, keyOf);
  const hostsOf = Map.groupBy(hosts, keyOf);
  return rules.map((row) => {
    const key = keyOf({ pool: row.pool, rule: row.name });
    return {
      ...{ pool: row.pool, name: row.name, createdAt: row.created_at, terms: row.terms },
      vms: (vmsOf.get(key) ?? []).map(({ id, name }) => ({ id: id as VmId, name })),
      hosts: (hostsOf.get(key) ?? []).map(({ host }) => host),
    };
  });
}
