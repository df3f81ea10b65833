/** Errors about port groups, bridges and network interfaces. */
import { define } from "./define.ts";

export const networkErrors = {
  NETWORK_UNKNOWN: define<{ network: string; host?: string; known: string[] }>(
    404,
    "never",
    (d) =>
      `${d.host === undefined ? `There is no port group ${d.network}` : `Host ${d.host} has no port group ${d.network}`}${d.known.length > 0 ? `; ${d.host === undefined ? "known are" : "it has"} ${d.known.join(", ")}` : ""}.`,
    () => "Name one of the known port groups, or define it: godwit network add --help",
  ),
  NETWORK_WITHOUT_BRIDGE: define<{ host: string; network: string; bridge: string }>(
    409,
    "after-fix",
    (d) => `The bridge ${d.bridge} of port group ${d.network} does not exist on host ${d.host}.`,
    (d) =>
      `The bridge of a virtual switch is made again by the agent; why it could not be: godwit host show ${d.host}. Another is created on ${d.host} by you, or the right one is named for ${d.network} in its agent.yaml (portGroups).`,
  ),
  MAC_IN_USE: define<{ vm: string; mac: string; network: string; other: string; otherRuns?: boolean }>(
    409,
    "after-fix",
    (d) =>
      `VM ${d.vm} has the MAC address ${d.mac} on network ${d.network}, and so has VM ${d.other}: neither would get its frames.`,
    (d) =>
      d.otherRuns === true
        ? `Stop ${d.other} first, or create one of them again without mac in its description: it then gets an address of its own.`
        : "Leave mac out of the description, so that an address of its own is chosen, or write another.",
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
    (d) => `${nftRemedy(d.host, d.reason)} Or leave out addresses in the VM's description.`,
  ),

  // Findings of the requirement checks.
  DESTINATION_LACKS_NETWORK: define<{ host: string; network: string }>(
    409,
    "after-fix",
    (d) => `Host ${d.host} has no port group ${d.network}.`,
    (d) =>
      `Define its switch for ${d.host} too (godwit switch add --help), or choose a host that has it: godwit network show ${d.network}`,
  ),
  NETWORK_INTERNAL: define<{ host: string; network: string }>(
    409,
    "after-fix",
    (d) =>
      `The VM is connected to ${d.network}, an internal switch of host ${d.host} without an uplink; its connections would be lost.`,
    () => "Connect the VM to a port group with an uplink.",
  ),
  NETWORK_BRIDGE_OFF: define<{ host: string; network: string; bridge: string }>(
    409,
    "after-fix",
    (d) => `The bridge ${d.bridge} of port group ${d.network} on host ${d.host} is switched off.`,
    (d) => `Switch it on, on ${d.host}: ip link set dev ${d.bridge} up`,
  ),
  NETWORK_UPLINK_MISSING: define<{ host: string; network: string; uplink: string }>(
    409,
    "after-fix",
    (d) => `Host ${d.host} has no interface ${d.uplink}, the uplink of its port group ${d.network}.`,
    (d) =>
      `Name the right uplink for ${d.network} in the agent's configuration of ${d.host} (portGroups); ip link show lists its interfaces.`,
  ),
  NETWORK_UPLINK_ELSEWHERE: define<{ host: string; network: string; uplink: string; bridge: string }>(
    409,
    "after-fix",
    (d) =>
      `The uplink ${d.uplink} of port group ${d.network} on host ${d.host} is not a port of its bridge ${d.bridge}.`,
    (d) => `Make it one, on ${d.host}: ip link set dev ${d.uplink} master ${d.bridge}`,
  ),
  NETWORK_UPLINK_OFF: define<{ host: string; network: string; uplink: string }>(
    409,
    "after-fix",
    (d) => `The uplink ${d.uplink} of port group ${d.network} on host ${d.host} is switched off.`,
    (d) => `Switch it on, on ${d.host}: ip link set dev ${d.uplink} up`,
  ),
  NETWORK_LINK_DOWN: define<{ host: string; network: string; uplink: string }>(
    409,
    "after-fix",
    (d) => `The uplink ${d.uplink} of port group ${d.network} on host ${d.host} has no carrier.`,
    () => "Check the cable and the switch port.",
  ),
  NETWORK_LINK_UNDETERMINED: define<{ host: string; network: string; uplink: string; reason: string }>(
    409,
    "later",
    (d) =>
      `Whether port group ${d.network} on host ${d.host} leads outside over its uplink ${d.uplink} is not known: ${d.reason}.`,
    (d) => `See what ${d.host} reports: godwit host show ${d.host}; or choose another host.`,
  ),
  NETWORK_MTU_SMALLER: define<{
    host: string;
    network: string;
    mtu: number;
    from: string;
    sourceMtu: number;
  }>(
    409,
    "after-fix",
    (d) =>
      `Port group ${d.network} has an MTU of ${String(d.mtu)} on host ${d.host} and of ${String(d.sourceMtu)} on ${d.from}: larger packets of the VM would be lost after the move.`,
    (d) =>
      `Set an MTU of ${String(d.sourceMtu)} on the bridge of ${d.network} and on its uplink on ${d.host} (ip link set dev INTERFACE mtu ${String(d.sourceMtu)}), or a smaller one in the guest and on ${d.from}.`,
  ),
  NETWORK_MTU_LARGER: define<{ host: string; network: string; mtu: number; from: string; sourceMtu: number }>(
    409,
    "after-fix",
    (d) =>
      `Port group ${d.network} has an MTU of ${String(d.mtu)} on host ${d.host} and of ${String(d.sourceMtu)} on ${d.from}: the VM may be sent packets there that are larger than it takes.`,
    (d) => `Give ${d.network} one MTU on all hosts.`,
  ),

  /** An alarm. */
  HOST_PORTS_UNSECURED: define<{ host: string; reason: string }>(
    409,
    "after-fix",
    (d) => `VMs on host ${d.host} can send with other VMs' MAC addresses: ${d.reason}.`,
    (d) => nftRemedy(d.host, d.reason),
  ),
} as const;

/** By what nft says where it could not limit ports. */
function nftRemedy(host: string, reason: string): string {
  if (/not permitted|permission denied|must be root/i.test(reason))
    return `Let the agent on ${host} change the network (CAP_NET_ADMIN; the unit of its package has it), and restart it.`;
  if (reason.includes("version")) return `Install the newest agent on ${host}.`;
  return reason.includes("not installed")
    ? `Install nftables on ${host} (apt-get install nftables), and restart the agent.`
    : `Load nf_tables for bridges into the kernel of ${host} (modprobe nf_tables), or install one that has it, and restart the agent.`;
}
