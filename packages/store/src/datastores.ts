/**
 * Datastores that the inventory defines. A definition is for every host, or for those that have a row; a row also says
 * where the datastore lies on that host if it is elsewhere than on the others. None goes while something lies on it.
 */
import {
  GodwitError,
  isSameSource,
  sourceText,
  taskDefinitionOf,
  type DatastoreDefinition,
  type DatastoreSource,
  type NewDatastore,
} from "@godwit/contract";
import { sql } from "kysely";
import type { Database } from "./database.ts";
import { emit } from "./events.ts";
import { mustHaveAccess } from "./host-access.ts";
import { mustBeHosts } from "./must-be-hosts.ts";
import type { Queries, Writes } from "./schema.ts";
import { tasksUnderWay } from "./tasks.ts";

export interface DatastoreRow extends DatastoreDefinition {
  everyHost: boolean;
  createdAt: Date;
  /** The program that fences hosts there. Absent: there is none. */
  fenceProgram?: string;
  /** In order of their names; `source` null: as the definition says. */
  hosts: { host: string; source: DatastoreSource | null }[];
}

/** As it is stored: a CHAP secret sealed, and beside its source. */
export type EnteredDatastore = Omit<NewDatastore, "source"> & {
  source: DatastoreSource;
  secret?: SealedSecret;
};

/** As the database has it. */
export interface SealedSecret {
  id: string;
  sealed: string;
}

/** What a host has by its own configuration and the inventory does not have, or otherwise. */
export interface NotTakenOver {
  name: string;
  reason: string;
}

/** Where a datastore is to be on a host; null: nowhere. */
export function sourceOn(row: DatastoreRow, host: string): DatastoreSource | null {
  const own = row.hosts.find((one) => one.host === host);
  if (own !== undefined) return own.source ?? row.source;
  return row.everyHost ? row.source : null;
}

export class Datastores {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** In order of their names. */
  async list(): Promise<DatastoreRow[]> {
    return await this.#database.read((db) => rowsOf(db));
  }

  /** @throws DATASTORE_UNKNOWN */
  async show(name: string): Promise<DatastoreRow> {
    const rows = await this.list();
    return rows.find((row) => row.name === name) ?? unknown(name, rows);
  }

  /** A secret as it was sealed; null: it has none of this id. */
  async secret(datastore: string, id: string): Promise<string | null> {
    const row = await this.#database.read((db) =>
      db
        .selectFrom("datastore_secrets")
        .select("sealed")
        .where("datastore", "=", datastore)
        .where("id", "=", id)
        .executeTakeFirst(),
    );
    return row?.sealed ?? null;
  }

  /** Names of VMs that have something on a datastore, by its name. */
  async users(): Promise<Map<string, string[]>> {
    const rows = await this.#database.read(async (db) => {
      const { rows: found } = await sql<{ datastore: string; vm: string }>`
        select distinct datastore, vm from (
          select config->>'datastore' as datastore, name as vm from vms
          union
          select disk->>'datastore', name
          from vms, jsonb_array_elements(config->'disks') as disk
          union
          select medium->'medium'->>'datastore', name
          from vms, jsonb_array_elements(coalesce(config->'cdroms', '[]'::jsonb)) as medium
        ) as used where datastore is not null order by datastore, vm`.execute(db);
      return found;
    });
    const byName = Map.groupBy(rows, ({ datastore }) => datastore);
    return new Map([...byName].map(([name, of]) => [name, of.map(({ vm }) => vm)]));
  }

  /**
   * A definition, or one that there is for further hosts.
   * @throws HOST_UNKNOWN, DATASTORE_EXISTS
   */
  async add({ name, shared, source, hosts: named, secret }: EnteredDatastore): Promise<void> {
    const hosts = named ?? null;
    await this.#database.write(async (tx) => {
      if (hosts !== null) await mustBeHosts(tx, hosts);
      const row = await locked(tx, name);
      if (row === undefined) {
        if (source.kind === "iscsi") await mustBeNew(tx, name, "target", source.target);
        if (source.kind === "lun") await mustBeNew(tx, name, "wwn", source.wwn);
        await insert(tx, { name, shared, source, hosts });
        if (secret !== undefined)
          await tx
            .insertInto("datastore_secrets")
            .values({ datastore: name, ...secret })
            .execute();
      } else {
        if (row.shared !== shared)
          throw exists(name, row.shared ? "it is shared storage" : "it is local to its hosts");
        if (hosts === null) await widen(tx, row, source);
        else await extend(tx, row, hosts, source);
      }
      await emit(tx, added(name, { shared, source, hosts, takenOver: false }));
    });
  }

  /**
   * What a host has by its agent's own configuration becomes the inventory's; of a host whose datastores are not known
   * yet, everything that it has.
   * @returns whether that changed anything, and what could not be taken over
   */
  async takeOver(
    host: string,
    has: readonly (DatastoreDefinition & { origin: "inventory" | "configuration" })[],
  ): Promise<{ changed: boolean; left: NotTakenOver[] }> {
    return await this.#database.write(async (tx) => {
      const left: NotTakenOver[] = [];
      let changed = false;
      const known = await tx
        .selectFrom("hosts")
        .select("datastores_known")
        .where("name", "=", host)
        .forUpdate()
        .executeTakeFirst();
      if (known === undefined) return { changed, left };
      for (const { name, shared, source, origin } of has) {
        if (known.datastores_known && origin === "inventory") continue;
        const row = await locked(tx, name);
        const reason = row === undefined ? null : conflict(row, shared);
        if (reason !== null) {
          left.push({ name, reason });
          continue;
        }
        const desired = row === undefined ? null : sourceOn(row, host);
        if (desired !== null && isSameSource(desired, source)) continue;
        if (row === undefined) await insert(tx, { name, shared, source, hosts: [host] });
        else
          await tx
            .insertInto("datastore_hosts")
            .values({ datastore: name, host, source: JSON.stringify(source) })
            .onConflict((on) => on.columns(["datastore", "host"]).doNothing())
            .execute();
        changed = true;
        await emit(tx, added(name, { shared, source, hosts: [host], takenOver: true }));
      }
      await tx.updateTable("hosts").set({ datastores_known: true }).where("name", "=", host).execute();
      return { changed, left };
    });
  }

  /** Of a LUN. @throws DATASTORE_UNKNOWN, DATASTORE_WITHOUT_RESERVATIONS */
  async setReservations(name: string, on: boolean): Promise<void> {
    await this.#database.write(async (tx) => {
      const row = (await locked(tx, name)) ?? unknown(name, await rowsOf(tx));
      if (row.source.kind !== "lun")
        throw GodwitError.of("DATASTORE_WITHOUT_RESERVATIONS", { datastore: name });
      if ((row.reservations ?? false) === on) return;
      await tx.updateTable("datastores").set({ reservations: on }).where("name", "=", name).execute();
      await emit(tx, {
        type: "datastore.reservationsSet",
        subject: { kind: "datastore", id: name },
        data: { on },
      });
    });
  }

  /**
   * @param program null: there is none any more
   * @throws DATASTORE_UNKNOWN, DATASTORE_ACCESS_REVOKED: without it no host gets its access back
   */
  async setFenceProgram(name: string, program: string | null): Promise<void> {
    await this.#database.write(async (tx) => {
      const row = (await locked(tx, name)) ?? unknown(name, await rowsOf(tx));
      if ((row.fenceProgram ?? null) === program) return;
      // A host that is being fenced is entered under the same lock.
      await tx.updateTable("datastores").set({ fence_program: program }).where("name", "=", name).execute();
      if (program === null) await mustHaveAccess(tx, { datastore: name });
      await emit(tx, {
        type: "datastore.fenceProgramSet",
        subject: { kind: "datastore", id: name },
        data: { program },
      });
    });
  }

  /**
   * @param host null: everywhere
   * @throws DATASTORE_UNKNOWN, DATASTORE_IN_USE, DATASTORE_RESERVED, DATASTORE_ACCESS_REVOKED
   */
  async remove(name: string, host: string | null): Promise<void> {
    await this.#database.write(async (tx) => {
      const row = (await locked(tx, name)) ?? unknown(name, await rowsOf(tx));
      if (row.reservations === true) throw GodwitError.of("DATASTORE_RESERVED", { datastore: name });
      await tx.selectFrom("datastores").select("name").where("name", "=", name).forUpdate().execute();
      await mustHaveAccess(tx, { datastore: name, host });
      const users = await usersOf(tx, name, host);
      if (users.length > 0) throw GodwitError.of("DATASTORE_IN_USE", { datastore: name, host, users });
      if (host === null) await tx.deleteFrom("datastores").where("name", "=", name).execute();
      else await narrow(tx, row, host);
      await emit(tx, {
        type: "datastore.removed",
        subject: { kind: "datastore", id: name },
        data: { host },
      });
    });
  }
}

/** `hosts` null: every host. */
type Entered = DatastoreDefinition & { hosts: readonly string[] | null };

const added = (
  id: string,
  { shared, source, hosts, takenOver }: Omit<Entered, "name"> & { takenOver: boolean },
) => ({
  type: "datastore.added" as const,
  subject: { kind: "datastore" as const, id },
  data: { shared, source, hosts: hosts === null ? null : [...hosts], takenOver },
});

const exists = (datastore: string, reason: string) =>
  GodwitError.of("DATASTORE_EXISTS", { datastore, reason });

function unknown(datastore: string, rows: readonly DatastoreRow[]): never {
  throw GodwitError.of("DATASTORE_UNKNOWN", { datastore, known: rows.map(({ name }) => name) });
}

const conflict = (row: DatastoreRow, shared: boolean): string | null =>
  row.shared === shared
    ? null
    : `the inventory has it as ${row.shared ? "shared" : "host-local"} storage, and the agent's configuration as ${shared ? "shared" : "host-local"}`;

async function insert(tx: Writes, { name, shared, source, hosts }: Entered): Promise<void> {
  await tx
    .insertInto("datastores")
    .values({ name, shared, source: JSON.stringify(source), everywhere: hosts === null })
    .execute();
  await enter(tx, name, hosts ?? [], null);
}

async function enter(
  tx: Writes,
  datastore: string,
  hosts: readonly string[],
  source: DatastoreSource | null,
): Promise<void> {
  if (hosts.length === 0) return;
  const own = source === null ? null : JSON.stringify(source);
  await tx
    .insertInto("datastore_hosts")
    .values(hosts.map((host) => ({ datastore, host, source: own })))
    .execute();
}

/** To every host; those that have it elsewhere keep that. */
async function widen(tx: Writes, row: DatastoreRow, source: DatastoreSource): Promise<void> {
  if (row.everyHost) throw exists(row.name, "it is defined for every host");
  if (!isSameSource(row.source, source)) throw exists(row.name, `it lies at ${sourceText(row.source)}`);
  await tx.updateTable("datastores").set({ everywhere: true }).where("name", "=", row.name).execute();
}

async function extend(
  tx: Writes,
  row: DatastoreRow,
  hosts: readonly string[],
  source: DatastoreSource,
): Promise<void> {
  for (const host of hosts)
    if (sourceOn(row, host) !== null) throw exists(row.name, `it is defined for host ${host}`);
  await enter(tx, row.name, hosts, isSameSource(row.source, source) ? null : source);
}

/** Takes it from one host; from then on it is for the others by name. @throws DATASTORE_UNKNOWN */
async function narrow(tx: Writes, row: DatastoreRow, host: string): Promise<void> {
  if (sourceOn(row, host) === null)
    throw GodwitError.of("DATASTORE_UNKNOWN", { datastore: row.name, host, known: [] });
  if (row.everyHost) {
    const all = await tx.selectFrom("hosts").select("name").orderBy("name").execute();
    const others = all.flatMap(({ name }) =>
      name === host || row.hosts.some((one) => one.host === name) ? [] : [name],
    );
    await enter(tx, row.name, others, null);
    await tx.updateTable("datastores").set({ everywhere: false }).where("name", "=", row.name).execute();
  }
  await tx.deleteFrom("datastore_hosts").where("datastore", "=", row.name).where("host", "=", host).execute();
  const { left } = await tx
    .selectFrom("datastore_hosts")
    .select(({ fn }) => fn.countAll<string>().as("left"))
    .where("datastore", "=", row.name)
    .executeTakeFirstOrThrow();
  if (left === "0") await tx.deleteFrom("datastores").where("name", "=", row.name).execute();
}

/** VMs and tasks under way that need it, in words. */
async function usersOf(tx: Writes, name: string, host: string | null): Promise<string[]> {
  const vms = await vmsOn(tx, name, host);
  const images = host === null ? await imagesOn(tx, name) : [];
  const tasks = (await tasksUnderWay(tx)).filter(({ kind, request }) => {
    const { datastores = [], hosts } = taskDefinitionOf(kind).concerns(request);
    return datastores.includes(name) && (host === null || hosts.includes(host));
  });
  return [
    ...vms.map((vm) => `VM ${vm.name}`),
    ...images.map((image) => `image ${image.name}`),
    ...tasks.map(({ id, description }) => `task ${id} (${description})`),
  ];
}

/** Of the library. */
const imagesOn = async (db: Queries, name: string): Promise<{ name: string }[]> =>
  await db.selectFrom("images").select("name").where("datastore", "=", name).orderBy("name").execute();

/** With their folder on it, a disk, or a medium of a CD-ROM drive. */
async function vmsOn(db: Queries, name: string, host: string | null): Promise<{ name: string }[]> {
  const medium = JSON.stringify([{ medium: { datastore: name } }]);
  const disk = JSON.stringify([{ datastore: name }]);
  return await db
    .selectFrom("vms")
    .select("name")
    .where(
      sql<boolean>`(config->>'datastore' = ${name} or coalesce(config->'cdroms', '[]'::jsonb) @> ${medium}::jsonb
        or config->'disks' @> ${disk}::jsonb)`,
    )
    .where(sql<boolean>`(${host}::text is null or host = ${host})`)
    .orderBy("name")
    .execute();
}

/** Under two names the LUNs of a target would be two VMs' disks, and a LUN would be left while it is in use. @throws DATASTORE_EXISTS */
async function mustBeNew(tx: Writes, name: string, key: "target" | "wwn", value: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext('datastore source'), hashtext(${value}))`.execute(tx);
  const same = await tx
    .selectFrom("datastores")
    .select("name")
    .where(sql<boolean>`source->>${key} = ${value}`)
    .executeTakeFirst();
  const what = key === "target" ? "target" : "LUN";
  if (same !== undefined) throw exists(name, `${what} ${value} is datastore ${same.name}`);
}

/** Two who change the same one do so one after the other. */
async function locked(tx: Writes, name: string): Promise<DatastoreRow | undefined> {
  await sql`select pg_advisory_xact_lock(hashtext('datastore'), hashtext(${name}))`.execute(tx);
  return (await rowsOf(tx, name))[0];
}

async function rowsOf(db: Queries, name: string | null = null): Promise<DatastoreRow[]> {
  const of = (column: string) => sql<boolean>`(${name}::text is null or ${sql.ref(column)} = ${name})`;
  const rows = await db.selectFrom("datastores").selectAll().where(of("name")).orderBy("name").execute();
  if (rows.length === 0) return [];
  const hosts = await db
    .selectFrom("datastore_hosts")
    .selectAll()
    .where(of("datastore"))
    .orderBy("host")
    .execute();
  const byName = Map.groupBy(hosts, ({ datastore }) => datastore);
  return rows.map((row) => ({
    ...{ name: row.name, shared: row.shared, source: row.source },
    ...{ everyHost: row.everywhere, createdAt: row.created_at },
    ...(row.reservations ? { reservations: true } : {}),
    ...(row.fence_program === null ? {} : { fenceProgram: row.fence_program }),
    hosts: (byName.get(row.name) ?? []).map(({ host, source }) => ({ host, source })),
  }));
}
