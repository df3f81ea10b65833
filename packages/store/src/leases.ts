/**
 * VM leases as rows, with the semantics of sanlock: exclusive and shared, conversion, a version that
 * grows with each exclusive grant. Asking for what one has changes nothing, so every question may be
 * repeated when its answer was lost.
 */
import { GodwitError, type Lease, type LeaseMode, type VmId } from "@godwit/contract";
import type { Database, Writes } from "./database.ts";

export interface LeaseQuestion {
  vmId: VmId;
  vm: string;
  host: string;
}

/** A lease without the freshness of its holders, which the store does not know. */
export type StoredLease = Omit<Lease, "holders"> & { holders: Omit<Lease["holders"][number], "fresh">[] };

export class Leases {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** @throws LEASE_HELD */
  async acquire(question: LeaseQuestion, mode: LeaseMode): Promise<StoredLease> {
    return await this.#withLease(question, async (tx, lease) => {
      const own = lease.holders.find(({ host }) => host === question.host);
      if (own?.mode === "EX" || own?.mode === mode) return;
      await grant(tx, question, lease, mode);
    });
  }

  /** @throws LEASE_NOT_HELD, LEASE_HELD */
  async convert(question: LeaseQuestion, mode: LeaseMode): Promise<StoredLease> {
    return await this.#withLease(question, async (tx, lease) => {
      const own = lease.holders.find(({ host }) => host === question.host);
      if (own === undefined) throw GodwitError.of("LEASE_NOT_HELD", { vm: question.vm, host: question.host });
      if (own.mode !== mode) await grant(tx, question, lease, mode);
    });
  }

  async release(question: LeaseQuestion): Promise<StoredLease> {
    return await this.#withLease(question, async (tx) => {
      await tx
        .deleteFrom("lease_holders")
        .where("vm_id", "=", question.vmId)
        .where("host", "=", question.host)
        .execute();
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

  /** One question at a time for each lease: its row is locked until the answer is written. */
  async #withLease(
    { vmId, vm }: LeaseQuestion,
    deed: (tx: Writes, lease: StoredLease) => Promise<void>,
  ): Promise<StoredLease> {
    return await this.#database.write(async (tx) => {
      await tx
        .insertInto("leases")
        .values({ vm_id: vmId, vm_name: vm, last_exclusive_host: null })
        .onConflict((conflict) => conflict.column("vm_id").doNothing())
        .execute();
      await tx.selectFrom("leases").select("vm_id").where("vm_id", "=", vmId).forUpdate().execute();
      await deed(tx, await readLease(tx, vmId));
      return await readLease(tx, vmId);
    });
  }
}

async function grant(
  tx: Writes,
  question: LeaseQuestion,
  lease: StoredLease,
  mode: LeaseMode,
): Promise<void> {
  const { vmId, vm, host } = question;
  const others = lease.holders.filter((holder) => holder.host !== host);
  if (others.some((other) => mode === "EX" || other.mode === "EX")) {
    throw GodwitError.of("LEASE_HELD", { vm, holders: others });
  }
  await tx
    .insertInto("lease_holders")
    .values({ vm_id: vmId, host, mode })
    .onConflict((conflict) => conflict.columns(["vm_id", "host"]).doUpdateSet({ mode, since: new Date() }))
    .execute();
  if (mode === "SH") return;
  await tx
    .updateTable("leases")
    .set(({ eb }) => ({ version: eb("version", "+", 1), last_exclusive_host: host }))
    .where("vm_id", "=", vmId)
    .where((eb) => eb.or([eb("last_exclusive_host", "is", null), eb("last_exclusive_host", "!=", host)]))
    .execute();
}

async function readLease(db: Writes, vmId: VmId): Promise<StoredLease> {
  const [row, holders] = [
    await db.selectFrom("leases").select("version").where("vm_id", "=", vmId).executeTakeFirst(),
    await db.selectFrom("lease_holders").selectAll().where("vm_id", "=", vmId).orderBy("since").execute(),
  ];
  return {
    vmId,
    version: row?.version ?? 0,
    holders: holders.map(({ host, mode, since }) => ({ host, mode, since: since.toISOString() })),
  };
}
