/** A port group is a named bridge of this host; its uplink is the bridge's port that leads outside. */
import type { NetworkDefinition, PortGroupFacts, PortGroupLoad, PortGroupState } from "@godwit/contract";
import { listInterfaces, type Interface } from "./iproute.ts";
import { isUp } from "./links.ts";

export interface PortGroupConfig {
  name: string;
  bridge: string;
  /** Null: an internal switch that ends on this host. */
  uplink: string | null;
  /** Where the inventory has it. */
  definition?: NetworkDefinition;
}

/**
 * The port groups that VMs can be connected to: one whose bridge does not exist is left out. What the uplink does not
 * let through does not leave the host, whatever the bridge was set to.
 */
export async function portGroupFacts(configs: readonly PortGroupConfig[]): Promise<PortGroupFacts[]> {
  return (await lookedUp(configs)).flatMap(
    ({ config: { name, bridge, uplink, definition }, found, port }) => {
      if (found === undefined) return [];
      const mtu = Math.min(found.mtu, port?.mtu ?? found.mtu, definition?.mtu ?? found.mtu);
      return [{ name, bridge, uplink, mtu, ...(definition === undefined ? {} : { definition }) }];
    },
  );
}

/** What each of them does now, also one whose bridge does not exist. */
export async function portGroupLoad(configs: readonly PortGroupConfig[]): Promise<PortGroupLoad[]> {
  return (await lookedUp(configs)).map((group) => {
    const { name, bridge } = group.config;
    const state = stateOf(group);
    return { name, bridge, state, uplinkUp: state === "up" };
  });
}

interface LookedUp {
  config: PortGroupConfig;
  /** Undefined: there is no such bridge. */
  found: Interface | undefined;
  /** The uplink. */
  port: Interface | undefined;
}

function stateOf({ config, found, port }: LookedUp): PortGroupState {
  if (found === undefined) return "bridgeMissing";
  if (!found.flags.includes("UP")) return "bridgeOff";
  if (config.uplink === null) return "internal";
  if (port === undefined) return "uplinkMissing";
  if (port.master !== config.bridge) return "uplinkNotInBridge";
  if (!port.flags.includes("UP")) return "uplinkOff";
  return isUp(port) ? "up" : "uplinkWithoutCarrier";
}

async function lookedUp(configs: readonly PortGroupConfig[]): Promise<LookedUp[]> {
  if (configs.length === 0) return [];
  const interfaces = new Map((await listInterfaces()).map((found) => [found.ifname, found]));
  return configs.map((config) => {
    const found = interfaces.get(config.bridge);
    return {
      config,
      found: found?.linkinfo?.info_kind === "bridge" ? found : undefined,
      port: config.uplink === null ? undefined : interfaces.get(config.uplink),
    };
  });
}
