/** The index of VMs: what they are stands in their folders, where they are is known here. */
import {
  GodwitError,
  hasProcess,
  isId,
  type PauseReason,
  type TaskId,
  type Vm,
  type VmId,
  type VmState,
  type VmSummary,
  type VmView,
  type PageRequest,
} from "@godwit/contract";
import { sql, type Selectable } from "kysely";
import { isDuplicate, type Database } from "./database.ts";
import { emit } from "./events.ts";
import { pageOf, type Page } from "./page.ts";
import { findReferences, removeReferences } from "./references.ts";
import type { Queries, Schema, Writes } from "./schema.ts";
import { taskOn } from "./tasks.ts";

export interface Place {
  host: string;
  state: VmState;
  /** Of a VM that stands still; absent: it does not, or nobody tells why. */
  pauseReason?: PauseReason | null;
}

/** Of VMs that have all of the tags. */
export interface VmPageRequest extends PageRequest {
  tags?: readonly string[];
}

/** A VM as a report of hosts needs it. */
export interface ReportedVm extends Place {
  id: VmId;
  name: string;
  /** Another one whenever anything of the VM is written. */
  version: string;
}

export class Vms {
  readonly #database: Database;
  /** Of the newest change of a VM's place; all changes are made by this program, which has the database's lock. */
  #lastChange = 0;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Goes on from the changes that are written. */
  async open(): Promise<void> {
    const row = await this.#database.read((db) =>
      db
        .selectFrom("vms")
        .select(({ fn }) => fn.max("changed_number").as("last"))
        .executeTakeFirst(),
    );
    this.#lastChange = Number(row?.last ?? 0);
  }

  /** Of a change that is made now. */
  nextChange(): number {
    return ++this.#lastChange;
  }

  /** What is known now: a report that is asked for after this is newer than every change up to it. */
  get lastChange(): number {
    return this.#lastChange;
  }

  async list(): Promise<VmView[]> {
    return (await this.#database.read((db) => views(db).orderBy("vms.name").execute())).map(viewOf);
  }

  /** A page in order of their names. */
  async page({ limit, cursor, tags }: VmPageRequest): Promise<Page<VmView>> {
    const rows = await this.#database.read((db) => {
      const all = views(db)
        .where(hasTags(tags))
        .orderBy("vms.name")
        .limit(limit + 1);
      return (cursor === undefined ? all : all.where("vms.name", ">", cursor)).execute();
    });
    return pageOf(rows.map(viewOf), limit, ({ name }) => name);
  }

  /** A page of what lists show: the database reads the documents, and sends that. */
  async summaries({ limit, cursor, tags }: VmPageRequest): Promise<Page<VmSummary>> {
    const rows = await this.#database.read((db) => {
      const all = db
        .selectFrom("vms")
        .leftJoin("hosts", "hosts.name", "vms.host")
        .select([
          "vms.id",
          "vms.name",
          "vms.state",
          "vms.pause_reason as pauseReason",
          "vms.host",
          "vms.seen_at",
          "hosts.seen_at as host_seen_at",
        ])
        .select([
          sql<number>`(config->>'memoryMib')::int`.as("memoryMib"),
          sql<number>`(config->>'vcpus')::int`.as("vcpus"),
          sql<string | null>`config->'suspension'->>'suspendedAt'`.as("suspended_at"),
          sql<string>`config->>'datastore'`.as("datastore"),
          sql<string[] | null>`config->'tags'`.as("tags"),
        ])
        .where(hasTags(tags))
        .orderBy("vms.name")
        .limit(limit + 1);
      return (cursor === undefined ? all : all.where("vms.name", ">", cursor)).execute();
    });
    const summaries = rows.map(
      ({ id, seen_at: own, host_seen_at: hosts, suspended_at: suspendedAt, tags: its, ...row }) => ({
        ...{ ...row, id: id as VmId },
        ...(its === null ? {} : { tags: its }),
        ...(suspendedAt === null ? {} : { suspendedAt }),
        seenAt: seenAt(row.state, own, hosts).toISOString(),
      }),
    );
    return pageOf(summaries, limit, ({ name }) => name);
  }

  /** Those with one of these ids. */
  async some(ids: readonly VmId[]): Promise<VmView[]> {
    const rows = await this.#database.read((db) =>
      views(db)
        .where(sql<boolean>`vms.id = any(${ids}::uuid[])`)
        .execute(),
    );
    return rows.map(viewOf);
  }

  /** Those that are said to be on one of the hosts, and those with one of the ids. */
  async ofReports(hosts: readonly string[], ids: readonly string[]): Promise<ReportedVm[]> {
    const rows = await this.#database.read((db) =>
      db
        .selectFrom("vms")
        .select([
          "id",
          "name",
          "host",
          "state",
          "pause_reason as pauseReason",
          sql<string>`xmin::text`.as("version"),
        ])
        .where(sql<boolean>`(host = any(${hosts}::text[]) or id = any(${ids}::uuid[]))`)
        .execute(),
    );
    return rows.map((row) => ({ ...row, id: row.id as VmId }));
  }

  /** The folders of those that are said to be on a host, without those that a task works on: it may be making or deleting them. */
  async foldersOn(host: string): Promise<{ id: VmId; name: string; datastore: string }[]> {
    const rows = await this.#database.read((db) =>
      db
        .selectFrom("vms")
        .select(["id", "name", sql<string>`config->>'datastore'`.as("datastore")])
        .where("host", "=", host)
        .where(sql<boolean>`not exists (select from task_locks where task_locks.name = 'vm:' || vms.id)`)
        .orderBy("name")
        .execute(),
    );
    return rows.map((row) => ({ ...row, id: row.id as VmId }));
  }

  async isNameTaken(name: string): Promise<boolean> {
    const row = await this.#database.read((db) =>
      db.selectFrom("vms").select("id").where("name", "=", name).executeTakeFirst(),
    );
    return row !== undefined;
  }

  /** @param vm a name or an id. @throws VM_UNKNOWN */
  async show(vm: string): Promise<VmView> {
    const row = await this.#database.read((db) =>
      views(db)
        .where(isId(vm) ? "vms.id" : "vms.name", "=", vm)
        .executeTakeFirst(),
    );
    if (row === undefined) throw GodwitError.of("VM_UNKNOWN", { vm });
    return viewOf(row);
  }

  /** @throws DISK_USED_BY_VM when a disk that lies on another datastore than its VM's folder is another VM's */
  async mustHaveOwnDisks(vm: { id: VmId | null } & OwnDisks): Promise<void> {
    await this.#database.read((db) => mustHaveOwnDisks(db, vm));
  }

  /** Enters a VM; entering the same one again changes nothing. @throws VM_EXISTS when another has its name, DISK_USED_BY_VM */
  async enter(vm: Vm, place: Place): Promise<void> {
    const existing = await this.#database.read((db) =>
      db.selectFrom("vms").select("id").where("id", "=", vm.id).executeTakeFirst(),
    );
    if (existing !== undefined) return;
    await this.#database.write(async (tx) => {
      // Two that are entered at once are entered one after the other.
      if (vm.disks.some((disk) => disk.datastore !== undefined))
        await sql`select pg_advisory_xact_lock(hashtext('vm disks'))`.execute(tx);
      await mustHaveOwnDisks(tx, vm);
      try {
        await tx
          .insertInto("vms")
          .values({
            ...{
              id: vm.id,
              name: vm.name,
              host: place.host,
              state: place.state,
              seen_at: sql<Date>`clock_timestamp()`,
            },
            ...{ changed_number: this.nextChange(), config: JSON.stringify(vm) },
          })
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
    await this.#set(id, () => place, null);
  }

  /**
   * What a host's report says of a VM. A report that was asked for before the VM was last placed is
   * older than what is known, and a VM with a task under way is the task's business.
   * @param known the last change when the report was asked for
   * @param judge what follows from the report for a VM that is said to be there, as it is now: it may have been placed
   *   since it was read; null: nothing
   */
  async report(id: VmId, known: number, judge: (now: Place) => Place | null): Promise<void> {
    await this.#set(id, judge, known);
  }

  /** Its lease was taken from a host that is off or fenced: it is lost there. */
  async leaseBroken(id: VmId, host: string): Promise<void> {
    await this.#database.write(async (tx) => {
      await tx
        .updateTable("vms")
        .set({ state: "lost", seen_at: sql<Date>`clock_timestamp()`, changed_number: this.nextChange() })
        .where("id", "=", id)
        .where("host", "=", host)
        .where("state", "!=", "stopped")
        .execute();
      await emit(tx, { type: "vm.leaseBroken", subject: { kind: "vm", id }, data: { host } });
    });
  }

  /** It leaves the inventory. @param by the task that has removed what it was. @throws VM_BUSY with another task under way */
  async remove(id: VmId, by: TaskId | null): Promise<void> {
    await this.#database.write(async (tx) => {
      const row = await tx
        .selectFrom("vms")
        .select("name")
        .where("id", "=", id)
        .forUpdate()
        .executeTakeFirst();
      const [task] = (await findReferences(tx, "vm", id)).filter((one) => one.id !== by);
      if (task !== undefined)
        throw GodwitError.of("VM_BUSY", { vm: row?.name ?? id, task: task.id, what: task.name });
      if (by === null) await mustBeUnleased(tx, id, row?.name ?? id);
      const { numDeletedRows } = await tx.deleteFrom("vms").where("id", "=", id).executeTakeFirst();
      await removeReferences(tx, "vm", id);
      if (numDeletedRows > 0n) await emit(tx, { type: "vm.deleted", subject: { kind: "vm", id }, data: {} });
    });
  }

  async #set(id: VmId, judge: (now: Place) => Place | null, known: number | null): Promise<void> {
    // From here on, reports that were asked for before are older.
    const change = known === null ? this.nextChange() : null;
    await this.#database.write(async (tx) => {
      const row = await tx.selectFrom("vms").selectAll().where("id", "=", id).forUpdate().executeTakeFirst();
      if (row === undefined) return;
      if (known !== null) {
        const task = await taskOn(tx, { kind: "vm", id });
        if (task !== null || Number(row.changed_number) > known) return;
      }
      const place = judge({ host: row.host, state: row.state, pauseReason: row.pause_reason });
      if (place === null) return;
      const { host, state } = place;
      const pauseReason = state === "paused" ? (place.pauseReason ?? null) : null;
      const changed = row.host !== host || row.state !== state || row.pause_reason !== pauseReason;
      const number = change ?? (changed ? this.nextChange() : null);
      await tx
        .updateTable("vms")
        .set({
          ...{ host, state, pause_reason: pauseReason, seen_at: sql<Date>`clock_timestamp()` },
          ...(number === null ? {} : { changed_number: number }),
        })
        .where("id", "=", id)
        .execute();
      if (!changed) return;
      await emit(tx, {
        type: "vm.stateChanged",
        subject: { kind: "vm", id },
        data: { name: row.name, host, state, pauseReason },
      });
    });
  }
}

const hasTags = (tags: readonly string[] = []) =>
  tags.length === 0 ? sql<boolean>`true` : sql<boolean>`vms.config->'tags' @> ${JSON.stringify(tags)}::jsonb`;

const views = (db: Queries) =>
  db
    .selectFrom("vms")
    .leftJoin("hosts", "hosts.name", "vms.host")
    .selectAll("vms")
    .select("hosts.seen_at as host_seen_at");

type Row = Selectable<Schema["vms"]> & { host_seen_at: Date | null };

/** A VM that has a process was seen whenever its host was: a report that says nothing new of it writes nothing. */
const seenAt = (state: VmState, own: Date, hosts: Date | null): Date =>
  hosts !== null && hosts > own && hasProcess({ state }) ? hosts : own;

function viewOf(row: Row): VmView {
  const { state, seen_at: own, host_seen_at: hosts } = row;
  return {
    id: row.id as VmId,
    name: row.name,
    state,
    pauseReason: row.pause_reason,
    host: row.host,
    seenAt: seenAt(state, own, hosts).toISOString(),
    config: row.config,
  };
}

/** The rows of its leases go with it: while a host holds one it may run the VM. @throws LEASE_HELD */
async function mustBeUnleased(tx: Writes, id: VmId, vm: string): Promise<void> {
  const rows = await tx
    .selectFrom("lease_holders")
    .select(["host", "mode", "since"])
    .where("vm_id", "=", id)
    .orderBy("host")
    .execute();
  const holders = rows.map(({ host, mode, since }) => ({ host, mode, since: since.toISOString() }));
  if (holders.length > 0) throw GodwitError.of("LEASE_HELD", { vm, holders });
}

interface OwnDisks {
  name: string;
  disks: readonly { name: string; datastore?: string | undefined; path: string }[];
}

/** A VM's folder is its own by its name; a disk elsewhere is by what the inventory says. */
async function mustHaveOwnDisks(db: Queries, vm: { id: VmId | null } & OwnDisks): Promise<void> {
  for (const { name: disk, datastore, path } of vm.disks) {
    if (datastore === undefined) continue;
    const same = JSON.stringify([{ datastore, path }]);
    const other = await db
      .selectFrom("vms")
      .select("name")
      .where(sql<boolean>`config->'disks' @> ${same}::jsonb and id is distinct from ${vm.id}`)
      .executeTakeFirst();
    if (other !== undefined)
      throw GodwitError.of("DISK_USED_BY_VM", { vm: vm.name, disk, datastore, path, other: other.name });
  }
}
