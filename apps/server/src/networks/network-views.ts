/** Virtual switches and port groups as operators see them: what is defined, beside what each host has. Pure. */
import type {
  HostFacts,
  HostLoad,
  NetworkList,
  NetworkState,
  NetworkView,
  PortGroupState,
  SwitchDefinition,
  SwitchView,
} from "@godwit/contract";
import { uplinkOf } from "@godwit/contract";
import { switchOn, type NetworkRow, type SwitchRow } from "@godwit/store";
import { networkDrift } from "./drift.ts";
import { vxlanOn, type FactsOfHosts } from "./underlay.ts";

export interface NetworksOfInventory {
  switches: readonly SwitchRow[];
  networks: readonly NetworkRow[];
}

export interface HostNow {
  name: string;
  isUp: boolean;
  facts: HostFacts | null;
  load: HostLoad | null;
}

/**
 * All that is defined for a host: its switches, and the port groups on these.
 * @param facts of all hosts of the inventory
 */
export function networksOn(
  { switches, networks }: NetworksOfInventory,
  host: string,
  facts: FactsOfHosts,
): NetworkList {
  const own = switches.flatMap((row): SwitchDefinition[] => {
    const on = switchOn(row, host);
    if (on === null) return [];
    if (row.vxlan === null) return [on];
    return [{ ...on, vxlan: vxlanOn(row.vxlan, host, membersOf(row, [...facts.keys()]), facts) }];
  });
  return {
    switches: own,
    networks: networks.flatMap(({ createdAt: _, ...definition }) =>
      own.some(({ name }) => name === definition.switch) ? [definition] : [],
    ),
  };
}

/** @param hosts all of the inventory */
export const membersOf = (row: SwitchRow, hosts: readonly string[]): string[] =>
  hosts.filter((host) => switchOn(row, host) !== null);

const factsOf = (hosts: readonly HostNow[]): FactsOfHosts =>
  new Map(hosts.map(({ name, facts }) => [name, facts]));

/** In order of their names. */
export function switchViews(rows: NetworksOfInventory, hosts: readonly HostNow[]): SwitchView[] {
  const facts = factsOf(hosts);
  return rows.switches.map((row) => ({
    ...{ name: row.name, mtu: row.mtu, uplink: row.uplink, vxlan: row.vxlan },
    ...{ everyHost: row.everyHost, createdAt: row.createdAt.toISOString() },
    networks: rows.networks.flatMap(({ name, switch: on }) => (on === row.name ? [name] : [])),
    hosts: hosts.flatMap((host) => {
      const has = host.facts?.switches?.find(({ name }) => name === row.name);
      const desired = switchOn(row, host.name);
      if (desired === null && has === undefined) return [];
      const link = host.load?.links?.find(({ name }) => name === desired?.uplink);
      const downText = link?.up === false ? `its uplink ${link.name} has no carrier` : null;
      const told = has?.vxlan ?? null;
      return [
        {
          ...{ host: host.name, desiredUplink: desired === null ? null : uplinkOf(desired) },
          ...{ bridge: has?.bridge ?? null, uplink: has?.uplink ?? null, mtu: has?.mtu ?? null },
          vxlan: told === null ? null : { local: told.local, peers: told.peers },
          ...stateOf(host, driftIn("switch", row.name, networksOn(rows, host.name, facts), host), downText),
        },
      ];
    }),
  }));
}

/** In order of their names; also those that a host has by its own configuration only. */
export function networkViews(
  rows: NetworksOfInventory,
  hosts: readonly HostNow[],
): Omit<NetworkView, "vms">[] {
  const facts = factsOf(hosts);
  const defined = rows.networks.map((row) => ({
    ...{ name: row.name, switch: row.switch, vlan: row.vlan, mtu: row.mtu ?? null },
    ...{ allowForgedTransmits: row.allowForgedTransmits, createdAt: row.createdAt.toISOString() },
    ...(row.isolatedHosts === undefined ? {} : { isolatedHosts: row.isolatedHosts }),
    hosts: hosts.flatMap((host) => networkOnHost(row.name, networksOn(rows, host.name, facts), host)),
  }));
  const others = new Set(hosts.flatMap(({ facts }) => (facts?.portGroups ?? []).map(({ name }) => name)));
  for (const { name } of rows.networks) others.delete(name);
  return [
    ...defined,
    ...[...others].map((name) => ({
      ...{ name, switch: null, vlan: null, mtu: null, allowForgedTransmits: null, createdAt: null },
      hosts: hosts.flatMap((host) => networkOnHost(name, networksOn(rows, host.name, facts), host)),
    })),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function networkOnHost(name: string, desired: NetworkList, host: HostNow): NetworkView["hosts"] {
  const has = host.facts?.portGroups.find((one) => one.name === name);
  const isDesired = desired.networks.some((one) => one.name === name);
  if (has === undefined && !isDesired) return [];
  const now = host.load?.portGroups?.find((one) => one.name === name);
  const known = {
    ...{ host: host.name, bridge: has?.bridge ?? null, uplink: has?.uplink ?? null, mtu: has?.mtu ?? null },
  };
  const drift = driftIn("network", name, desired, host);
  if (host.isUp && !isDesired && drift === null && has?.definition === undefined) {
    const reason = "the host has it by its agent's own configuration";
    return [{ ...known, state: "notDefined", reason }];
  }
  const state = now?.state ?? (now?.uplinkUp === false ? "uplinkWithoutCarrier" : "up");
  return [{ ...known, ...stateOf(host, drift, stateWords[state](has?.uplink ?? "", has?.bridge ?? "")) }];
}

/** Why VMs in it reach nothing; null: they do, as far as the host can tell. */
const stateWords: Readonly<Record<PortGroupState, (uplink: string, bridge: string) => string | null>> = {
  up: () => null,
  internal: () => null,
  bridgeMissing: () => "its bridge does not exist",
  bridgeOff: (_, bridge) => `its bridge ${bridge} is switched off`,
  uplinkMissing: (uplink) => `the host has no interface ${uplink}`,
  uplinkNotInBridge: (uplink, bridge) => `its uplink ${uplink} is not a port of its bridge ${bridge}`,
  uplinkOff: (uplink) => `its uplink ${uplink} is switched off`,
  uplinkWithoutCarrier: (uplink) => `its uplink ${uplink} has no carrier`,
};

function driftIn(
  kind: "switch" | "network",
  name: string,
  desired: NetworkList,
  { facts }: HostNow,
): string | null {
  if (facts === null) return null;
  const found = networkDrift(desired, facts).find((one) => one.kind === kind && one.name === name);
  return found?.reason ?? null;
}

function stateOf(
  { isUp, facts }: HostNow,
  drift: string | null,
  down: string | null,
): { state: NetworkState; reason: string | null } {
  if (!isUp) return { state: "unknown", reason: "the host does not answer" };
  if (facts === null) return { state: "unknown", reason: "the host has not reported yet" };
  if (drift !== null) return { state: "notApplied", reason: drift };
  return down === null ? { state: "available", reason: null } : { state: "unavailable", reason: down };
}
