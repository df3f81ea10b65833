/** A port group is a named bridge of this host; its uplink is the bridge's port that leads outside. */
import type { PortGroupFacts } from "@godwit/contract";
import { listInterfaces } from "./iproute.ts";
import { isUp } from "./links.ts";

export interface PortGroupConfig {
  name: string;
  bridge: string;
  /** Null: an internal switch that ends on this host. */
  uplink: string | null;
}

/**
 * The port groups that VMs can be connected to now: one whose bridge does not exist is left out.
 * An uplink that is not a port of the bridge carries nothing and counts as down.
 */
export async function portGroupFacts(configs: readonly PortGroupConfig[]): Promise<PortGroupFacts[]> {
  if (configs.length === 0) return [];
  const interfaces = new Map((await listInterfaces()).map((found) => [found.ifname, found]));
  return configs.flatMap(({ name, bridge, uplink }) => {
    const found = interfaces.get(bridge);
    if (found?.linkinfo?.info_kind !== "bridge") return [];
    const port = uplink === null ? undefined : interfaces.get(uplink);
    const uplinkUp = port !== undefined && port.master === bridge && isUp(port);
    return [{ name, bridge, uplink, uplinkUp, mtu: found.mtu }];
  });
}
