/** Virtual switches and port groups as operators see them: what is defined, beside what each host has. Pure. */
import type {
  HostFacts,
  HostLoad,
  NetworkList,
  NetworkState,
  NetworkView,
  PortGroupState,
  SwitchView,
} from "@godwit/contract";
import { switchOn, type NetworkRow, type SwitchRow } from "@godwit/store";
import { networkDrift } from "./drift.ts";

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

/** All that is defined for a host: its switches, and the port groups on these. */
export function networksOn({ switches, networks }: NetworksOfInventory, host: string): NetworkList {
  const own = switches.flatMap((row) => switchOn(row, host) ?? []);
  return {
    switches: own,
    networks: networks.flatMap(({ createdAt: _, ...definition }) =>
      own.some(({ name }) => name === definition.switch) ? [definition] : [],
    ),
  };
}

/** In order of their names. */
export function switchViews(rows: NetworksOfInventory, hosts: readonly HostNow[]): SwitchView[] {
  return rows.switches.map((row) => ({
    ...{ name: row.name, mtu: row.mtu, uplink: row.uplink },
    ...{ everyHost: row.everyHost, createdAt: row.createdAt.toISOString() },
    networks: rows.networks.flatMap(({ name, switch: on }) => (on === row.name ? [name] : [])),
    hosts: hosts.flatMap((host) => {
      const has = host.facts?.switches?.find(({ name }) => name === row.name);
      const desired = switchOn(row, host.name);
      if (desired === null && has === undefined) return [];
      const link = host.load?.links?.find(({ name }) => name === desired?.uplink);
      const downText = link?.up === false ? `its uplink ${link.name} has no carrier` : null;
      return [
        {
          ...{ host: host.name, desiredUplink: desired?.uplink ?? null },
          ...{ bridge: has?.bridge ?? null, uplink: has?.uplink ?? null, mtu: has?.mtu ?? null },
          ...stateOf(host, driftIn("switch", row.name, rows, host), downText),
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
  const defined = rows.networks.map((row) => ({
    ...{ name: row.name, switch: row.switch, vlan: row.vlan, mtu: row.mtu ?? null },
    ...{ allowForgedTransmits: row.allowForgedTransmits, createdAt: row.createdAt.toISOString() },
    hosts: hosts.flatMap((host) => networkOnHost(row.name, rows, host)),
  }));
  const others = new Set(hosts.flatMap(({ facts }) => (facts?.portGroups ?? []).map(({ name }) => name)));
  for (const { name } of rows.networks) others.delete(name);
  return [
    ...defined,
    ...[...others].map((name) => ({
      ...{ name, switch: null, vlan: null, mtu: null, allowForgedTransmits: null, createdAt: null },
      hosts: hosts.flatMap((host) => networkOnHost(name, rows, host)),
    })),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function networkOnHost(name: string, rows: NetworksOfInventory, host: HostNow): NetworkView["hosts"] {
  const has = host.facts?.portGroups.find((one) => one.name === name);
  const isDesired = networksOn(rows, host.name).networks.some((one) => one.name === name);
  if (has === undefined && !isDesired) return [];
  const now = host.load?.portGroups?.find((one) => one.name === name);
  const known = {
    ...{ host: host.name, bridge: has?.bridge ?? null, uplink: has?.uplink ?? null, mtu: has?.mtu ?? null },
  };
  const drift = driftIn("network", name, rows, host);
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
  rows: NetworksOfInventory,
  { name: host, facts }: HostNow,
): string | null {
  if (facts === null) return null;
  const found = networkDrift(networksOn(rows, host), facts).find(
    (one) => one.kind === kind && one.name === name,
  );
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
