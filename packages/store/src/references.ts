/**
 * What refers to an object that is to be removed: one table, which every removal asks. References that forbid it are
 * found and told; those that go with the object are removed in the same transaction. Each names the columns that it
 * stands for, and a test holds them against the database's: a new column that names a host, a pool or a VM needs a
 * line here, or one among those that are history.
 */
import type { VmId } from "@godwit/contract";
import type { Writes } from "./schema.ts";
import { fence } from "./leases.ts";
import { taskOn, tasksNeeding } from "./tasks.ts";

/** An object that keeps another from being removed. */
interface Found {
  id: string;
  name: string;
}
interface Reference {
  columns: readonly string[];
  /** Those that forbid the removal. */
  find?: (tx: Writes, id: string) => Promise<Found[]>;
  /** What goes with the object. */
  remove?: (tx: Writes, id: string) => Promise<unknown>;
}
type Removable = "host" | "pool" | "vm";

export const references: Record<Removable, Record<string, Reference>> = {
  host: {
    running: {
      columns: ["vms.host"],
      find: async (tx, host) =>
        await tx
          .selectFrom("vms")
          .select(["id", "name"])
          .where("host", "=", host)
          .where("state", "!=", "stopped")
          .orderBy("name")
          .execute(),
    },
    stopped: {
      columns: ["vms.host"],
      find: async (tx, host) =>
        await tx
          .selectFrom("vms")
          .select(["id", "name"])
          .where("host", "=", host)
          .where("state", "=", "stopped")
          .orderBy("name")
          .execute(),
    },
    tasks: {
      columns: ["tasks.arrives_at", "tasks.request", "tasks.subject_id"],
      find: async (tx, host) =>
        (await tasksNeeding(tx, host)).map(({ id, description }) => ({ id, name: `${id} (${description})` })),
    },
    leases: { columns: ["lease_holders.host", "leases.heard", "leases.fenced"], remove: fence },
    tokens: {
      columns: ["join_tokens.host"],
      remove: async (tx, host) => await tx.deleteFrom("join_tokens").where("host", "=", host).execute(),
    },
    // By foreign keys.
    reports: { columns: ["host_facts.host", "host_loads.host", "load_samples.host"] },
    rules: { columns: ["pool_rule_hosts.host"] },
    outcomes: { columns: ["move_outcomes.from_host", "move_outcomes.to_host"] },
    maintenance: { columns: ["maintenance_stops.host"] },
    power: { columns: ["host_power.host"] },
    datastores: { columns: ["datastore_hosts.host"] },
    // It forbids the removal, also a forced one: see Hosts.remove.
    access: { columns: ["host_access.host", "host_access.fenced"] },
    switches: { columns: ["switch_hosts.host"] },
  },
  pool: {
    hosts: {
      columns: ["hosts.pool"],
      find: async (tx, pool) =>
        (await tx.selectFrom("hosts").select("name").where("pool", "=", pool).orderBy("name").execute()).map(
          ({ name }) => ({ id: name, name }),
        ),
    },
    // By foreign keys.
    rules: { columns: ["pool_rounds.pool", "pool_rules.pool", "pool_rule_vms.pool", "pool_rule_hosts.pool"] },
  },
  vm: {
    tasks: {
      columns: ["tasks.subject_id"],
      find: async (tx, id) => {
        const task = await taskOn(tx, { kind: "vm", id });
        return task === null ? [] : [{ id: task.id, name: task.description }];
      },
    },
    // By foreign keys.
    rules: { columns: ["pool_rule_vms.vm"] },
    outcomes: { columns: ["move_outcomes.vm"] },
    maintenance: { columns: ["maintenance_stops.vm"] },
    leases: {
      columns: ["leases.vm_id", "lease_holders.vm_id"],
      remove: async (tx, id) => {
        await tx
          .deleteFrom("lease_holders")
          .where("vm_id", "=", id as VmId)
          .execute();
        await tx
          .deleteFrom("leases")
          .where("vm_id", "=", id as VmId)
          .execute();
      },
    },
  },
};

/** What forbids the removal of an object, with the kind of each. */
export async function findReferences(
  tx: Writes,
  kind: Removable,
  id: string,
): Promise<(Found & { kind: string })[]> {
  const found = [];
  for (const [of, { find }] of Object.entries(references[kind])) {
    for (const one of (await find?.(tx, id)) ?? []) found.push({ ...one, kind: of });
  }
  return found;
}

/** Removes what goes with an object. */
export async function removeReferences(tx: Writes, kind: Removable, id: string): Promise<void> {
  for (const { remove } of Object.values(references[kind])) await remove?.(tx, id);
}
