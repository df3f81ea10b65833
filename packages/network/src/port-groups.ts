/** A port group is a named bridge of this host; its uplink is the bridge's port that leads outside. */
import { access } from "node:fs/promises";
import type {
  NetworkDefinition,
  PortGroupFacts,
  PortGroupLoad,
  PortGroupState,
  VxlanDefinition,
} from "@godwit/contract";
import { interfacesNow, type Interface } from "./iproute.ts";
import { leadsOut } from "./links.ts";
import { tunnelFacts } from "./tunnels.ts";

export interface PortGroupConfig {
  name: string;
  bridge: string;
  /** Null: an internal switch that ends on this host. */
  uplink: string | null;
  /** Where the inventory has it. */
  definition?: NetworkDefinition;
  /** Where its uplink is a tunnel. */
  vxlan?: VxlanDefinition;
}

/**
 * The port groups that VMs can be connected to: one whose bridge does not exist is left out. What the uplink does not
 * let through does not leave the host, whatever the bridge was set to.
 */
export async function portGroupFacts(configs: readonly PortGroupConfig[]): Promise<PortGroupFacts[]> {
  const groups: PortGroupFacts[] = [];
  for (const { config, found, port } of await lookedUp(configs)) {
    if (found === undefined) continue;
    const { name, bridge, uplink, definition, vxlan } = config;
    const mtu = Math.min(found.mtu, port?.mtu ?? found.mtu, definition?.mtu ?? found.mtu);
    const tunnel = vxlan === undefined || port === undefined ? undefined : await tunnelFacts(vxlan, port);
    groups.push({
      ...{ name, bridge, uplink, mtu },
      ...(definition === undefined ? {} : { definition }),
      ...(tunnel === undefined ? {} : { tunnel }),
    });
  }
  return groups;
}

/** What each of them does now, also one whose bridge does not exist. */
export async function portGroupLoad(configs: readonly PortGroupConfig[]): Promise<PortGroupLoad[]> {
  return (await lookedUp(configs)).map((group) => {
    const { name, bridge } = group.config;
    const state = stateOf(group);
    return { name, bridge, state, uplinkUp: state === "up" };
  });
}

/** Whether a bridge is there, by the kernel's files: a move waits for it, and a program would take longer. */
export const isBridge = async (name: string): Promise<boolean> =>
  await access(`/sys/class/net/${name}/bridge`).then(
    () => true,
    () => false,
  );

/** A port group as its interfaces are. */
export interface LookedUp {
  config: PortGroupConfig;
  /** Undefined: there is no such bridge. */
  found: Interface | undefined;
  /** The uplink. */
  port: Interface | undefined;
  /** Whether the uplink leads out of this host. */
  carries: boolean;
}

export function stateOf({ config, found, port, carries }: LookedUp): PortGroupState {
  if (found === undefined) return "bridgeMissing";
  if (!found.flags.includes("UP")) return "bridgeOff";
  if (config.uplink === null) return "internal";
  if (port === undefined) return "uplinkMissing";
  if (port.master !== config.bridge) return "uplinkNotInBridge";
  if (!port.flags.includes("UP")) return "uplinkOff";
  return carries ? "up" : "uplinkWithoutCarrier";
}

async function lookedUp(configs: readonly PortGroupConfig[]): Promise<LookedUp[]> {
  if (configs.length === 0) return [];
  const all = await interfacesNow();
  const interfaces = new Map(all.map((found) => [found.ifname, found]));
  return configs.map((config) => lookUpIn(config, interfaces, all));
}

/** @param all interfaces of this network namespace */
export const lookUp = (config: PortGroupConfig, all: readonly Interface[]): LookedUp =>
  lookUpIn(config, new Map(all.map((found) => [found.ifname, found])), all);

function lookUpIn(
  config: PortGroupConfig,
  interfaces: ReadonlyMap<string, Interface>,
  all: readonly Interface[],
): LookedUp {
  const found = interfaces.get(config.bridge);
  const port = config.uplink === null ? undefined : interfaces.get(config.uplink);
  return {
    config,
    found: found?.linkinfo?.info_kind === "bridge" ? found : undefined,
    port,
    carries: port !== undefined && leadsOut(port, all),
  };
}
