/** A port group is a named bridge of this host; its uplink is the bridge's port that leads outside. */
import type { PortGroupFacts, PortGroupLoad } from "@godwit/contract";
import { listInterfaces, type Interface } from "./iproute.ts";
import { isUp } from "./links.ts";

export interface PortGroupConfig {
  name: string;
  bridge: string;
  /** Null: an internal switch that ends on this host. */
  uplink: string | null;
}

/** The port groups that VMs can be connected to: one whose bridge does not exist is left out. */
export async function portGroupFacts(configs: readonly PortGroupConfig[]): Promise<PortGroupFacts[]> {
  return (await existing(configs)).map(({ config: { name, bridge, uplink }, found }) => ({
    name,
    bridge,
    uplink,
    mtu: found.mtu,
  }));
}

/** Which of them have an uplink that carries: one that is not a port of the bridge carries nothing and counts as down. */
export async function portGroupLoad(configs: readonly PortGroupConfig[]): Promise<PortGroupLoad[]> {
  return (await existing(configs)).map(({ config: { name, bridge }, port }) => ({
    name,
    uplinkUp: port !== undefined && port.master === bridge && isUp(port),
  }));
}

/** Port groups whose bridge exists, with the bridge and the uplink's interface. */
async function existing(
  configs: readonly PortGroupConfig[],
): Promise<{ config: PortGroupConfig; found: Interface; port: Interface | undefined }[]> {
  if (configs.length === 0) return [];
  const interfaces = new Map((await listInterfaces()).map((found) => [found.ifname, found]));
  return configs.flatMap((config) => {
    const found = interfaces.get(config.bridge);
    if (found?.linkinfo?.info_kind !== "bridge") return [];
    return [{ config, found, port: config.uplink === null ? undefined : interfaces.get(config.uplink) }];
  });
}
