/** Port groups that the inventory defines, each on one virtual switch. None goes while a VM has a NIC in it. */
import {
  GodwitError,
  type NetworkChanges,
  type NetworkDefinition,
  type NewNetwork,
  type SwitchFacts,
  uplinkOf,
} from "@godwit/contract";
import { sql } from "kysely";
import type { Database } from "./database.ts";
import { emit } from "./events.ts";
import { networkUsers } from "./network-users.ts";
import type { Queries, Writes } from "./schema.ts";
import {
  enterHosts,
  insertSwitch,
  lockSwitch,
  switchOn,
  unknownSwitch,
  vniTaken,
  type SwitchRow,
} from "./switches.ts";

export interface NetworkRow extends NetworkDefinition {
  createdAt: Date;
}

/** What a host was told by an inventory. */
export interface ToldNetworks {
  switches: readonly SwitchFacts[];
  networks: readonly NetworkDefinition[];
}

export class Networks {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** In order of their names. */
  async list(): Promise<NetworkRow[]> {
    return await this.#database.read((db) => rowsOf(db));
  }

  /** Names of VMs that have a NIC in a port group, by its name. */
  async users(): Promise<Map<string, string[]>> {
    const rows = await this.#database.read(async (db) => {
      const { rows: found } = await sql<{ network: string; vm: string }>`
        select distinct nic->>'portGroup' as network, name as vm
        from vms, jsonb_array_elements(config->'nics') as nic order by network, vm`.execute(db);
      return found;
    });
    const byName = Map.groupBy(rows, ({ network }) => network);
    return new Map([...byName].map(([name, of]) => [name, of.map(({ vm }) => vm)]));
  }

  /** @throws SWITCH_UNKNOWN, NETWORK_EXISTS, NETWORK_VLAN_TAKEN, NETWORK_MTU_ABOVE_SWITCH */
  async add({
    name,
    switch: on,
    vlan = 0,
    mtu,
    allowForgedTransmits = false,
    isolatedHosts = false,
  }: NewNetwork): Promise<void> {
    await this.#database.write(async (tx) => {
      const row = await lockSwitch(tx, on);
      if (row === undefined) throw await unknownSwitch(tx, on);
      const definition = {
        ...{ name, switch: on, vlan, allowForgedTransmits },
        ...(mtu === undefined ? {} : { mtu }),
        ...isolated(isolatedHosts),
      };
      mustFit(definition, row, await rowsOf(tx));
      if (!(await insert(tx, definition))) {
        const [has] = await rowsOf(tx, name);
        const details = { network: name, switch: has?.switch ?? on, vlan: has?.vlan ?? vlan };
        throw GodwitError.of("NETWORK_EXISTS", details);
      }
    });
  }

  /** @throws NETWORK_UNKNOWN, NETWORK_VLAN_TAKEN, NETWORK_MTU_ABOVE_SWITCH */
  async set(name: string, changes: NetworkChanges): Promise<void> {
    await this.#database.write(async (tx) => {
      const [before] = await rowsOf(tx, name);
      const row = before === undefined ? undefined : await lockSwitch(tx, before.switch);
      const all = await rowsOf(tx);
      // As it is now that no other changes it.
      const has = all.find((one) => one.name === name);
      if (has === undefined || row === undefined)
        throw GodwitError.of("NETWORK_UNKNOWN", { network: name, known: all.map((one) => one.name) });
      const { createdAt: _, mtu: hadMtu = null, isolatedHosts: wereIsolated = false, ...rest } = has;
      const { vlan = has.vlan, mtu = hadMtu, allowForgedTransmits = has.allowForgedTransmits } = changes;
      const { isolatedHosts = wereIsolated } = changes;
      const definition: NetworkDefinition = {
        ...rest,
        ...{ vlan, allowForgedTransmits },
        ...(mtu === null ? {} : { mtu }),
        ...isolated(isolatedHosts),
      };
      const others = all.filter((one) => one.name !== name);
      mustFit(definition, row, others);
      await tx
        .updateTable("networks")
        .set({ vlan, mtu, allow_forged_transmits: allowForgedTransmits, isolated_hosts: isolatedHosts })
        .where("name", "=", name)
        .execute();
      const { name: _name, ...data } = definition;
      await emit(tx, { type: "network.changed", subject: { kind: "network", id: name }, data });
    });
  }

  /** @throws NETWORK_UNKNOWN, NETWORK_IN_USE */
  async remove(name: string): Promise<void> {
    await this.#database.write(async (tx) => {
      const all = await rowsOf(tx);
      if (!all.some((row) => row.name === name))
        throw GodwitError.of("NETWORK_UNKNOWN", { network: name, known: all.map((row) => row.name) });
      const users = await networkUsers(tx, name, null);
      if (users.length > 0) throw GodwitError.of("NETWORK_IN_USE", { network: name, users });
      await tx.deleteFrom("networks").where("name", "=", name).execute();
      await emit(tx, { type: "network.removed", subject: { kind: "network", id: name }, data: {} });
    });
  }

  /**
   * What a host was told by an inventory before this one, of which this one knows nothing, becomes this one's: once for each
   * host, as after a restore from a backup.
   * @returns whether that changed anything
   */
  async takeOver(host: string, { switches, networks }: ToldNetworks): Promise<boolean> {
    return await this.#database.write(async (tx) => {
      const known = await tx
        .selectFrom("hosts")
        .select("networks_known")
        .where("name", "=", host)
        .forUpdate()
        .executeTakeFirst();
      if (known === undefined || known.networks_known) return false;
      let changed = false;
      for (const { name, desiredUplink, mtu, vxlan: told, bond } of switches) {
        const row = await lockSwitch(tx, name);
        if (row !== undefined && switchOn(row, host) !== null) continue;
        const vxlan = told === undefined ? null : { vni: told.vni, port: told.port, underlay: told.underlay };
        const uplink = vxlan === null ? uplinkOf({ uplink: desiredUplink, bond }) : null;
        if (row === undefined && (await vniTaken(tx, vxlan)) !== null) continue;
        if (row === undefined) await insertSwitch(tx, { name, uplink, mtu, vxlan }, [host]);
        else await enterHosts(tx, name, [host], uplink);
        const data = { uplink, mtu, hosts: [host] };
        await emit(tx, { type: "switch.added", subject: { kind: "switch", id: name }, data });
        changed = true;
      }
      for (const definition of networks) {
        if ((await lockSwitch(tx, definition.switch)) === undefined) continue;
        changed = (await insert(tx, definition)) || changed;
      }
      await tx.updateTable("hosts").set({ networks_known: true }).where("name", "=", host).execute();
      return changed;
    });
  }
}

/** Absent where they are not: agents of earlier versions know no such thing. */
const isolated = (isolatedHosts: boolean): Pick<NetworkDefinition, "isolatedHosts"> =>
  isolatedHosts ? { isolatedHosts } : {};

/** On one switch: the frames of the one without a tag have the other's number within the bridge. */
const excludes = (one: number, other: number): boolean =>
  (one === 0 && other === 4094) || (one === 4094 && other === 0);

/** @returns whether there was none of its name */
async function insert(tx: Writes, definition: NetworkDefinition): Promise<boolean> {
  const { name, switch: on, vlan, mtu, allowForgedTransmits, isolatedHosts = false } = definition;
  const entered = await tx
    .insertInto("networks")
    .values({
      ...{ name, switch: on, vlan, mtu: mtu ?? null },
      ...{ allow_forged_transmits: allowForgedTransmits, isolated_hosts: isolatedHosts },
    })
    .onConflict((conflict) => conflict.column("name").doNothing())
    .executeTakeFirst();
  if (entered.numInsertedOrUpdatedRows !== 1n) return false;
  const { name: _, ...data } = definition;
  await emit(tx, { type: "network.added", subject: { kind: "network", id: name }, data });
  return true;
}

/** @param others port groups that there are beside it. @throws NETWORK_VLAN_TAKEN, NETWORK_VLAN_IN_VXLAN, NETWORK_MTU_ABOVE_SWITCH */
function mustFit(
  { name, switch: on, vlan, mtu }: NetworkDefinition,
  { mtu: switchMtu, vxlan }: Pick<SwitchRow, "mtu" | "vxlan">,
  others: readonly NetworkDefinition[],
): void {
  if (mtu !== undefined && mtu > switchMtu)
    throw GodwitError.of("NETWORK_MTU_ABOVE_SWITCH", { network: name, mtu, switch: on, switchMtu });
  if (vxlan !== null && vlan !== 0)
    throw GodwitError.of("NETWORK_VLAN_IN_VXLAN", { network: name, vlan, switch: on, vni: vxlan.vni });
  const other = others.find((one) => one.name !== name && one.switch === on && excludes(one.vlan, vlan));
  if (other === undefined) return;
  const details = { network: name, switch: on, vlan, other: other.name, otherVlan: other.vlan };
  throw GodwitError.of("NETWORK_VLAN_TAKEN", details);
}

async function rowsOf(db: Queries, name: string | null = null): Promise<NetworkRow[]> {
  const rows = await db
    .selectFrom("networks")
    .selectAll()
    .where(sql<boolean>`(${name}::text is null or name = ${name})`)
    .orderBy("name")
    .execute();
  return rows.map(({ mtu, ...row }) => ({
    ...{ name: row.name, switch: row.switch, vlan: row.vlan, createdAt: row.created_at },
    ...(mtu === null ? {} : { mtu }),
    allowForgedTransmits: row.allow_forged_transmits,
    ...isolated(row.isolated_hosts),
  }));
}
