/** The index of VMs: what they are stands in their folders, where they are is known here. */
import { GodwitError, isId, type Vm, type VmId, type VmState, type VmView } from "@godwit/contract";
import type { Selectable } from "kysely";
import { isDuplicate, type Database } from "./database.ts";
import { emit } from "./events.ts";
import type { Schema } from "./schema.ts";
import { taskOn } from "./tasks.ts";

export interface Place {
  host: string;
  state: VmState;
}

export class Vms {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async list(): Promise<VmView[]> {
    const rows = await this.#database.read((db) =>
      db.selectFrom("vms").selectAll().orderBy("name").execute(),
    );
    return rows.map(viewOf);
  }

  /** @param vm a name or an id. @throws VM_UNKNOWN */
  async show(vm: string): Promise<VmView> {
    const row = await this.#database.read((db) =>
      db
        .selectFrom("vms")
        .selectAll()
        .where(isId(vm) ? "id" : "name", "=", vm)
        .executeTakeFirst(),
    );
    if (row === undefined) throw GodwitError.of("VM_UNKNOWN", { vm });
    return viewOf(row);
  }

  /** Enters a VM; entering the same one again changes nothing. @throws VM_EXISTS when another has its name */
  async enter(vm: Vm, place: Place): Promise<void> {
    const existing = await this.#database.read((db) =>
      db.selectFrom("vms").select("id").where("id", "=", vm.id).executeTakeFirst(),
    );
    if (existing !== undefined) return;
    await this.#database.write(async (tx) => {
      try {
        await tx
          .insertInto("vms")
          .values({ id: vm.id, name: vm.name, ...place, seen_at: new Date(), config: JSON.stringify(vm) })
          .execute();
      } catch (error) {
        if (isDuplicate(error)) throw GodwitError.of("VM_EXISTS", { vm: vm.name }, { cause: error });
        throw error;
      }
      await emit(tx, {
        type: "vm.created",
        subject: { kind: "vm", id: vm.id },
        data: { name: vm.name, ...place },
      });
    });
  }

  /** What a VM is since it was powered on last. */
  async saveConfig(vm: Vm): Promise<void> {
    await this.#database.write(async (tx) => {
      await tx
        .updateTable("vms")
        .set({ config: JSON.stringify(vm) })
        .where("id", "=", vm.id)
        .execute();
    });
  }

  /** Where a VM is now, as a task found out. */
  async place(id: VmId, place: Place): Promise<void> {
    await this.#set(id, place, null);
  }

  /**
   * What a host's report says of a VM. A report that was asked for before the VM was last placed is
   * older than what is known, and a VM with a task under way is the task's business.
   */
  async report(id: VmId, place: Place, askedAt: Date): Promise<void> {
    await this.#set(id, place, askedAt);
  }

  /** Its lease was taken from a host that an operator vouches is off: it is lost there. */
  async leaseBroken(id: VmId, host: string): Promise<void> {
    await this.#database.write(async (tx) => {
      await tx
        .updateTable("vms")
        .set({ state: "lost", changed_at: new Date() })
        .where("id", "=", id)
        .where("host", "=", host)
        .where("state", "!=", "stopped")
        .execute();
      await emit(tx, { type: "vm.leaseBroken", subject: { kind: "vm", id }, data: { host } });
    });
  }

  async remove(id: VmId): Promise<void> {
    await this.#database.write(async (tx) => {
      const { numDeletedRows } = await tx.deleteFrom("vms").where("id", "=", id).executeTakeFirst();
      await tx.deleteFrom("lease_holders").where("vm_id", "=", id).execute();
      await tx.deleteFrom("leases").where("vm_id", "=", id).execute();
      if (numDeletedRows > 0n) await emit(tx, { type: "vm.deleted", subject: { kind: "vm", id }, data: {} });
    });
  }

  async #set(id: VmId, place: Place, askedAt: Date | null): Promise<void> {
    await this.#database.write(async (tx) => {
      const row = await tx.selectFrom("vms").selectAll().where("id", "=", id).forUpdate().executeTakeFirst();
      if (row === undefined) return;
      if (askedAt !== null) {
        const task = await taskOn(tx, { kind: "vm", id });
        if (task !== null || askedAt <= row.changed_at) return;
      }
      const changed = row.host !== place.host || row.state !== place.state;
      await tx
        .updateTable("vms")
        .set({ ...place, seen_at: new Date(), ...(changed ? { changed_at: new Date() } : {}) })
        .where("id", "=", id)
        .execute();
      if (!changed) return;
      await emit(tx, {
        type: "vm.stateChanged",
        subject: { kind: "vm", id },
        data: { name: row.name, ...place },
      });
    });
  }
}

function viewOf(row: Selectable<Schema["vms"]>): VmView {
  return {
    id: row.id as VmId,
    name: row.name,
    state: row.state,
    host: row.host,
    seenAt: row.seen_at.toISOString(),
    config: row.config,
  };
}
