/**
 * VM leases as rows, with the semantics of sanlock: exclusive and shared, conversion, a version that
 * grows with each exclusive grant. The reducer of `@godwit/migration` decides; this reads and writes rows
 * under one lock for each lease. Asking for what one has changes nothing, so every question may be
 * repeated when its answer was lost.
 */
import { GodwitError, type Lease, type LeaseMode, type VmId } from "@godwit/contract";
import { decideLease, type LeaseDecision, type LeaseQuestion, type LeaseState } from "@godwit/migration";
import { sql } from "kysely";
import type { Database } from "./database.ts";
import type { Writes } from "./schema.ts";

/** Leases of VMs that are not known, of one host. */
const mostUnknown = 1000;

export interface LeaseQuestioner {
  vmId: VmId;
  vm: string;
  host: string;
  /** The host's questions are numbered in the order in which it asks them. */
  number: number;
}

/** A lease without the freshness of its holders, which the store does not know. */
export type StoredLease = Omit<Lease, "holders"> & { holders: Omit<Lease["holders"][number], "fresh">[] };

export class Leases {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** @throws LEASE_HELD, LEASE_OVERTAKEN */
  async acquire(asker: LeaseQuestioner, mode: LeaseMode): Promise<StoredLease> {
    return await this.#ask(asker, { ask: "acquire", host: asker.host, mode, number: asker.number });
  }

  /** @throws LEASE_NOT_HELD, LEASE_HELD, LEASE_OVERTAKEN */
  async convert(asker: LeaseQuestioner, mode: LeaseMode): Promise<StoredLease> {
    return await this.#ask(asker, { ask: "convert", host: asker.host, mode, number: asker.number });
  }

  /** @throws LEASE_OVERTAKEN */
  async release(asker: LeaseQuestioner): Promise<StoredLease> {
    return await this.#ask(asker, { ask: "release", host: asker.host, number: asker.number });
  }

  /** Takes a host's share away: the host is surely off, as for all its leases when it is removed. */
  async break(vmId: VmId, host: string): Promise<void> {
    await this.#database.write(async (tx) => {
      await decide(tx, vmId, { ask: "fence", host });
    });
  }

  async show(vmId: VmId): Promise<StoredLease> {
    return await this.#database.read((db) => readLease(db as unknown as Writes, vmId));
  }

  async ofHost(host: string): Promise<StoredLease[]> {
    return await this.#database.read(async (db) => {
      const rows = await db.selectFrom("lease_holders").select("vm_id").where("host", "=", host).execute();
      return await Promise.all(rows.map((row) => readLease(db as unknown as Writes, row.vm_id as VmId)));
    });
  }

  async #ask({ vmId, vm, host }: LeaseQuestioner, question: LeaseQuestion): Promise<StoredLease> {
    const { decision, lease } = await this.#database.write(async (tx) => {
      await mustBeBounded(tx, vmId, host);
      await tx
        .insertInto("leases")
        .values({ vm_id: vmId, vm_name: vm, last_exclusive_host: null })
        .onConflict((conflict) => conflict.column("vm_id").doNothing())
        .execute();
      return { decision: await decide(tx, vmId, question), lease: await readLease(tx, vmId) };
    });
    // A refused question has been heard all the same, so its transaction has ended before it is told.
    switch (decision.kind) {
      case "granted":
        return lease;
      case "held":
        throw GodwitError.of("LEASE_HELD", { vm, holders: lease.holders.filter((one) => one.host !== host) });
      case "notHeld":
        throw GodwitError.of("LEASE_NOT_HELD", { vm, host });
      case "overtaken":
        throw GodwitError.of("LEASE_OVERTAKEN", { vm, host, by: decision.by });
    }
  }
}

/**
 * A host may ask for leases of VMs that are not known here: those that a lost database knew. It cannot fill the
 * database with ids that it makes up.
 * @throws LEASES_TOO_MANY
 */
async function mustBeBounded(tx: Writes, vmId: VmId, host: string): Promise<void> {
  const known = await sql`
    select from leases where vm_id = ${vmId} union all select from vms where id = ${vmId}`.execute(tx);
  if (known.rows.length > 0) return;
  const { rows } = await sql<{ count: string }>`
    select count(*) from leases
    where heard ? ${host} and not exists (select from vms where vms.id = leases.vm_id)`.execute(tx);
  if (Number(rows[0]?.count) >= mostUnknown)
    throw GodwitError.of("LEASES_TOO_MANY", { host, most: mostUnknown });
}

/** Takes all leases of a host that is surely off. */
export async function fence(tx: Writes, host: string): Promise<void> {
  const rows = await tx
    .selectFrom("lease_holders")
    .select("vm_id")
    .where("host", "=", host)
    .orderBy("vm_id")
    .execute();
  for (const { vm_id: vmId } of rows) await decide(tx, vmId as VmId, { ask: "fence", host });
}

/** One question at a time for each lease: its row is locked until the answer is written. */
async function decide(tx: Writes, vmId: VmId, question: LeaseQuestion): Promise<LeaseDecision> {
  const row = await tx
    .selectFrom("leases")
    .select(["version", "last_exclusive_host", "fenced", "heard"])
    .where("vm_id", "=", vmId)
    .forUpdate()
    .executeTakeFirstOrThrow();
  const holders = await tx
    .selectFrom("lease_holders")
    .select(["host", "mode"])
    .where("vm_id", "=", vmId)
    .orderBy("since")
    .execute();
  const { version, last_exclusive_host: lastExclusiveHost, fenced, heard } = row;
  const before: LeaseState = { version, lastExclusiveHost, holders, fenced, heard };
  const decision = decideLease(before, question);
  if (decision.kind !== "overtaken") await write(tx, vmId, before, decision.lease);
  return decision;
}

async function write(tx: Writes, vmId: VmId, before: LeaseState, after: LeaseState): Promise<void> {
  for (const { host } of before.holders) {
    if (after.holders.some((holder) => holder.host === host)) continue;
    await tx.deleteFrom("lease_holders").where("vm_id", "=", vmId).where("host", "=", host).execute();
  }
  for (const { host, mode } of after.holders) {
    if (before.holders.some((holder) => holder.host === host && holder.mode === mode)) continue;
    await tx
      .insertInto("lease_holders")
      .values({ vm_id: vmId, host, mode })
      .onConflict((conflict) => conflict.columns(["vm_id", "host"]).doUpdateSet({ mode, since: new Date() }))
      .execute();
  }
  await tx
    .updateTable("leases")
    .set({
      version: after.version,
      last_exclusive_host: after.lastExclusiveHost,
      fenced: JSON.stringify(after.fenced),
      heard: JSON.stringify(after.heard),
    })
    .where("vm_id", "=", vmId)
    .execute();
}

async function readLease(db: Writes, vmId: VmId): Promise<StoredLease> {
  const [row, holders] = [
    await db.selectFrom("leases").select(["version", "fenced"]).where("vm_id", "=", vmId).executeTakeFirst(),
    await db.selectFrom("lease_holders").selectAll().where("vm_id", "=", vmId).orderBy("since").execute(),
  ];
  return {
    vmId,
    version: row?.version ?? 0,
    holders: holders.map(({ host, mode, since }) => ({
      host,
      mode,
      since: since.toISOString(),
      freeInMs: null,
    })),
    fenced: row?.fenced ?? [],
  };
}
