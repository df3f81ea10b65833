/** Errors about port groups, bridges and network interfaces. */
import { define } from "./define.ts";

export const networkErrors = {
  NETWORK_UNKNOWN: define<{ network: string; host: string; known: string[] }>(
    404,
    "never",
    (d) =>
      `Host ${d.host} has no port group ${d.network}${d.known.length > 0 ? `; it has ${d.known.join(", ")}` : ""}.`,
    () => "Name one of the known port groups, or add it to the agent's configuration.",
  ),
  NETWORK_BRIDGE_MISSING: define<{ bridge: string; interface: string }>(
    409,
    "after-fix",
    (d) => `There is no bridge ${d.bridge} on this host to connect ${d.interface} to.`,
    (d) => `Create the bridge ${d.bridge}, or name another in the agent's configuration (portGroups).`,
  ),
  NETWORK_INTERFACE_TAKEN: define<{ interface: string; bridge: string }>(
    409,
    "after-fix",
    (d) => `The network interface ${d.interface} exists already and is not a tap of QEMU's user.`,
    (d) => `Rename or remove it: ip link delete ${d.interface}`,
  ),
  NETWORK_FILTER_MISSING: define<{ vm: string; host: string; reason: string }>(
    409,
    "after-fix",
    (d) => `Host ${d.host} cannot limit the IP addresses that VM ${d.vm} sends from: ${d.reason}.`,
    (d) =>
      `Install nftables and the newest agent on ${d.host} and restart the agent, or leave out addresses in the VM's description.`,
  ),
  /** An alarm. */
  HOST_PORTS_UNSECURED: define<{ host: string; reason: string }>(
    409,
    "after-fix",
    (d) => `VMs on host ${d.host} can send with other VMs' MAC addresses: ${d.reason}.`,
    (d) =>
      `Install nftables on ${d.host} (apt-get install nftables; its kernel needs nf_tables for bridges), and restart the agent.`,
  ),
} as const;
