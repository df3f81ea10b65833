/**
 * Virtual switches that the inventory defines. A definition is for every host, or for those that have a row; a row also says
 * the uplink there. None goes while a port group is on it, nor from a host that has a VM in one of those.
 */
import {
  defaultMtu,
  GodwitError,
  type NewSwitch,
  type SwitchChanges,
  type SwitchDefinition,
  uplinkIn,
  uplinkOf,
  vxlanDeviceOf,
  vxlanPort,
  type VxlanSettings,
} from "@godwit/contract";
import { sql } from "kysely";
import type { Database } from "./database.ts";
import { emit } from "./events.ts";
import { mustBeHosts } from "./must-be-hosts.ts";
import { networkUsers } from "./network-users.ts";
import type { Queries, Writes } from "./schema.ts";

/** `uplink`: of hosts that have no row. */
export interface SwitchRow extends Omit<SwitchDefinition, "vxlan"> {
  vxlan: VxlanSettings | null;
  everyHost: boolean;
  createdAt: Date;
  /** In order of their names. */
  hosts: { host: string; uplink: string | null }[];
}

/** A switch as it is to be on a host, without its tunnel's ends; null: the host is to have none. */
export function switchOn(row: SwitchRow, host: string): Omit<SwitchDefinition, "vxlan"> | null {
  const own = row.hosts.find((one) => one.host === host);
  if (own === undefined && !row.everyHost) return null;
  const uplink = own === undefined ? row.uplink : own.uplink;
  const { name, mtu, vxlan } = row;
  return { name, mtu, ...(vxlan === null ? uplinkIn(uplink) : { uplink: vxlanDeviceOf(vxlan) }) };
}

export class Switches {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** In order of their names. */
  async list(): Promise<SwitchRow[]> {
    return await this.#database.read((db) => switchRows(db));
  }

  /**
   * A definition, or one that there is for further hosts.
   * @throws HOST_UNKNOWN, SWITCH_EXISTS, SWITCH_VNI_TAKEN
   */
  async add({ name, uplink, mtu, hosts: named, vxlan: wanted }: NewSwitch): Promise<void> {
    const hosts = named ?? null;
    const vxlan = wanted === undefined ? null : settingsOf(wanted);
    await this.#database.write(async (tx) => {
      if (hosts !== null) await mustBeHosts(tx, hosts);
      const row = await lockSwitch(tx, name);
      if (row === undefined) await insertSwitch(tx, { name, uplink, mtu: mtu ?? defaultMtu, vxlan }, hosts);
      else {
        if (JSON.stringify(vxlan) !== JSON.stringify(row.vxlan)) throw exists(name, vxlanText(row.vxlan));
        if (mtu !== undefined && mtu !== row.mtu) throw exists(name, `its MTU is ${String(row.mtu)}`);
        if (hosts === null) await widen(tx, row, uplink);
        else await extend(tx, row, hosts, uplink);
      }
      await emit(tx, {
        type: "switch.added",
        subject: { kind: "switch", id: name },
        data: {
          ...{ uplink, mtu: row?.mtu ?? mtu ?? defaultMtu, hosts: hosts === null ? null : [...hosts] },
          ...(vxlan === null ? {} : { vxlan }),
        },
      });
    });
  }

  /** @throws SWITCH_UNKNOWN, NETWORK_MTU_ABOVE_SWITCH */
  async set(name: string, { mtu }: SwitchChanges): Promise<void> {
    await this.#database.write(async (tx) => {
      const row = await lockSwitch(tx, name);
      if (row === undefined) throw await unknownSwitch(tx, name);
      const larger = await tx
        .selectFrom("networks")
        .select(["name", "mtu"])
        .where("switch", "=", name)
        .where("mtu", ">", mtu)
        .orderBy("name")
        .executeTakeFirst();
      if (larger !== undefined) {
        const details = { network: larger.name, mtu: larger.mtu ?? 0, switch: name, switchMtu: mtu };
        throw GodwitError.of("NETWORK_MTU_ABOVE_SWITCH", details);
      }
      if (mtu === row.mtu) return;
      await tx.updateTable("switches").set({ mtu }).where("name", "=", name).execute();
      await emit(tx, { type: "switch.changed", subject: { kind: "switch", id: name }, data: { mtu } });
    });
  }

  /**
   * @param host null: everywhere
   * @throws SWITCH_UNKNOWN, SWITCH_IN_USE
   */
  async remove(name: string, host: string | null): Promise<void> {
    await this.#database.write(async (tx) => {
      const row = await lockSwitch(tx, name);
      if (row === undefined) throw await unknownSwitch(tx, name);
      const users = await usersOf(tx, name, host);
      if (users.length > 0) throw GodwitError.of("SWITCH_IN_USE", { switch: name, host, users });
      if (host === null) await tx.deleteFrom("switches").where("name", "=", name).execute();
      else await narrow(tx, row, host);
      await emit(tx, { type: "switch.removed", subject: { kind: "switch", id: name }, data: { host } });
    });
  }
}

const exists = (name: string, reason: string) => GodwitError.of("SWITCH_EXISTS", { switch: name, reason });

export async function unknownSwitch(db: Queries, name: string): Promise<GodwitError> {
  const known = (await switchRows(db)).map((row) => row.name);
  return GodwitError.of("SWITCH_UNKNOWN", { switch: name, known });
}

const settingsOf = ({ vni, port = vxlanPort, underlay = "migration" }: NonNullable<NewSwitch["vxlan"]>) => ({
  ...{ vni, port, underlay },
});

const vxlanText = (vxlan: VxlanSettings | null): string =>
  vxlan === null
    ? "it has no VXLAN"
    : `it is VXLAN ${String(vxlan.vni)} on UDP port ${String(vxlan.port)} with underlay ${vxlan.underlay}`;

/** Who has its number: two who take one do so one after the other. @returns null: none has */
export async function vniTaken(tx: Writes, vxlan: VxlanSettings | null): Promise<string | null> {
  if (vxlan === null) return null;
  await sql`select pg_advisory_xact_lock(hashtext('vni'), ${vxlan.vni})`.execute(tx);
  const other = await tx
    .selectFrom("switches")
    .select("name")
    .where("vni", "=", vxlan.vni)
    .executeTakeFirst();
  return other?.name ?? null;
}

/** @param hosts null: every host. @throws SWITCH_VNI_TAKEN */
export async function insertSwitch(
  tx: Writes,
  { name, uplink, mtu, vxlan }: Pick<SwitchRow, "name" | "uplink" | "mtu" | "vxlan">,
  hosts: readonly string[] | null,
): Promise<void> {
  const other = await vniTaken(tx, vxlan);
  if (other !== null && vxlan !== null)
    throw GodwitError.of("SWITCH_VNI_TAKEN", { switch: name, vni: vxlan.vni, other });
  const { vni = null, port = null, underlay = null } = vxlan ?? {};
  await tx
    .insertInto("switches")
    .values({ name, uplink, mtu, everywhere: hosts === null, vni, vxlan_port: port, underlay })
    .execute();
  await enterHosts(tx, name, hosts ?? [], uplink);
}

export async function enterHosts(
  tx: Writes,
  name: string,
  hosts: readonly string[],
  uplink: string | null,
): Promise<void> {
  if (hosts.length === 0) return;
  await tx
    .insertInto("switch_hosts")
    .values(hosts.map((host) => ({ switch: name, host, uplink })))
    .execute();
}

const uplinkText = (uplink: string | null): string => (uplink === null ? "no uplink" : `uplink ${uplink}`);

/** To every host; those that have a row keep their uplinks. */
async function widen(tx: Writes, row: SwitchRow, uplink: string | null): Promise<void> {
  if (row.everyHost) throw exists(row.name, `it is defined for every host, with ${uplinkText(row.uplink)}`);
  await tx.updateTable("switches").set({ everywhere: true, uplink }).where("name", "=", row.name).execute();
}

async function extend(
  tx: Writes,
  row: SwitchRow,
  hosts: readonly string[],
  uplink: string | null,
): Promise<void> {
  for (const host of hosts) {
    const has = switchOn(row, host);
    if (has !== null)
      throw exists(row.name, `it is defined for host ${host}, with ${uplinkText(uplinkOf(has))}`);
  }
  await enterHosts(tx, row.name, hosts, uplink);
}

/** Takes it from one host; from then on it is for the others by name. @throws SWITCH_UNKNOWN, SWITCH_IN_USE */
async function narrow(tx: Writes, row: SwitchRow, host: string): Promise<void> {
  const { name } = row;
  if (switchOn(row, host) === null) {
    throw GodwitError.of("SWITCH_UNKNOWN", { switch: name, host, known: [] });
  }
  if (row.everyHost) {
    const all = await tx.selectFrom("hosts").select("name").orderBy("name").execute();
    const others = all.flatMap((one) =>
      one.name === host || row.hosts.some((own) => own.host === one.name) ? [] : [one.name],
    );
    await enterHosts(tx, name, others, row.uplink);
    await tx.updateTable("switches").set({ everywhere: false }).where("name", "=", name).execute();
  }
  await tx.deleteFrom("switch_hosts").where("switch", "=", name).where("host", "=", host).execute();
  const left = await tx
    .selectFrom("switch_hosts")
    .select("host")
    .where("switch", "=", name)
    .executeTakeFirst();
  if (left !== undefined) return;
  // Of the last host: it goes, which its port groups forbid.
  const users = await usersOf(tx, name, null);
  if (users.length > 0) throw GodwitError.of("SWITCH_IN_USE", { switch: name, host: null, users });
  await tx.deleteFrom("switches").where("name", "=", name).execute();
}

/** Everywhere its port groups need it; on one host the VMs that are in these. */
async function usersOf(tx: Writes, name: string, host: string | null): Promise<string[]> {
  const groups = await tx
    .selectFrom("networks")
    .select("name")
    .where("switch", "=", name)
    .orderBy("name")
    .execute();
  if (host === null) return groups.map((group) => `port group ${group.name}`);
  const users = new Set<string>();
  for (const group of groups) for (const user of await networkUsers(tx, group.name, host)) users.add(user);
  return [...users];
}

/** Two who change the same one do so one after the other. */
export async function lockSwitch(tx: Writes, name: string): Promise<SwitchRow | undefined> {
  await sql`select pg_advisory_xact_lock(hashtext('switch'), hashtext(${name}))`.execute(tx);
  return (await switchRows(tx, name))[0];
}

async function switchRows(db: Queries, name: string | null = null): Promise<SwitchRow[]> {
  const of = (column: string) => sql<boolean>`(${name}::text is null or ${sql.ref(column)} = ${name})`;
  const rows = await db.selectFrom("switches").selectAll().where(of("name")).orderBy("name").execute();
  if (rows.length === 0) return [];
  const hosts = await db.selectFrom("switch_hosts").selectAll().where(of("switch")).orderBy("host").execute();
  const byName = Map.groupBy(hosts, (row) => row.switch);
  return rows.map((row) => ({
    ...{ name: row.name, uplink: row.uplink, mtu: row.mtu },
    ...{ everyHost: row.everywhere, createdAt: row.created_at, vxlan: vxlanIn(row) },
    hosts: (byName.get(row.name) ?? []).map(({ host, uplink }) => ({ host, uplink })),
  }));
}

const vxlanIn = ({ vni, vxlan_port: port, underlay }: Parts): VxlanSettings | null =>
  vni === null || port === null || underlay === null ? null : { vni, port, underlay };
interface Parts {
  vni: number | null;
  vxlan_port: number | null;
  underlay: string | null;
}
