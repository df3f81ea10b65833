/** Errors about virtual switches and port groups as objects of the inventory. */
import { define } from "./define.ts";

const listed = (names: readonly string[]): string =>
  `${names.slice(0, 10).join(", ")}${names.length > 10 ? ` and ${String(names.length - 10)} more` : ""}`;

export const switchErrors = {
  SWITCH_UNKNOWN: define<{ switch: string; host?: string; known: string[] }>(
    404,
    "never",
    (d) =>
      `There is no virtual switch ${d.switch}${d.host === undefined ? "" : ` on host ${d.host}`}${d.known.length > 0 ? `; known are ${d.known.join(", ")}` : ""}.`,
    () => "Name one of the known switches, or define it: godwit switch add --help",
  ),
  SWITCH_EXISTS: define<{ switch: string; reason: string }>(
    409,
    "never",
    (d) => `There is a virtual switch ${d.switch} already: ${d.reason}.`,
    (d) => `Choose another name, or look at the one that there is: godwit switch show ${d.switch}`,
  ),
  SWITCH_VNI_TAKEN: define<{ switch: string; vni: number; other: string }>(
    409,
    "never",
    (d) =>
      `Virtual switch ${d.switch} cannot have VXLAN segment ${String(d.vni)}, which virtual switch ${d.other} has.`,
    () => "Choose another VNI: godwit switch list shows those in use.",
  ),
  /** `most`: the largest MTU within the underlay's. */
  SWITCH_MTU_ABOVE_UNDERLAY: define<{
    switch: string;
    mtu: number;
    host: string;
    underlay: string;
    underlayMtu: number;
    most: number;
  }>(
    409,
    "after-fix",
    (d) =>
      `Virtual switch ${d.switch} cannot have an MTU of ${String(d.mtu)}: the link of host ${d.host} with the address ${d.underlay} carries packets of ${String(d.underlayMtu)} bytes, of which VXLAN takes ${String(d.underlayMtu - d.most)}.`,
    (d) =>
      `Give it ${String(d.most)} or less, or raise the MTU of that link and of all that is between the hosts by ${String(d.mtu - d.most)}.`,
  ),
  /** `users`: port groups and VMs, in words. */
  SWITCH_IN_USE: define<{ switch: string; host: string | null; users: string[] }>(
    409,
    "after-fix",
    (d) =>
      `Virtual switch ${d.switch} cannot be removed${d.host === null ? "" : ` from host ${d.host}`}: it is used by ${listed(d.users)}.`,
    (d) =>
      d.host === null
        ? "Remove its port groups first: godwit network remove NAME"
        : "Move these VMs to other hosts, or delete them; then try again.",
  ),
  /** An alarm: a host has not what the inventory defines. */
  SWITCH_NOT_APPLIED: define<{ switch: string; host: string; reason: string }>(
    409,
    "after-fix",
    (d) => `Host ${d.host} does not have virtual switch ${d.switch} as it is defined: ${d.reason}.`,
    (d) =>
      `It is tried again by itself. What is defined and what the host has: godwit switch show ${d.switch}`,
  ),
  NETWORK_EXISTS: define<{ network: string; switch: string; vlan: number }>(
    409,
    "never",
    (d) =>
      `There is a port group ${d.network} already, on virtual switch ${d.switch} with VLAN ${String(d.vlan)}.`,
    (d) => `Choose another name, or look at the one that there is: godwit network show ${d.network}`,
  ),
  /** A switch needs one VLAN number of its own for frames without a tag. */
  NETWORK_VLAN_TAKEN: define<{
    network: string;
    switch: string;
    vlan: number;
    other: string;
    otherVlan: number;
  }>(
    409,
    "never",
    (d) =>
      `Port group ${d.network} cannot have VLAN ${String(d.vlan)} on virtual switch ${d.switch}, where ${d.other} has VLAN ${String(d.otherVlan)}: one switch has either VLAN 0 (no tag) or VLAN 4094.`,
    () => "Choose another VLAN, or another switch: godwit switch list",
  ),
  NETWORK_MTU_ABOVE_SWITCH: define<{ network: string; mtu: number; switch: string; switchMtu: number }>(
    409,
    "never",
    (d) =>
      `Port group ${d.network} cannot have an MTU of ${String(d.mtu)}: its virtual switch ${d.switch} has ${String(d.switchMtu)}.`,
    (d) => `Give it ${String(d.switchMtu)} or less, or leave --mtu out: it then has that of the switch.`,
  ),
  NETWORK_VLAN_IN_VXLAN: define<{ network: string; vlan: number; switch: string; vni: number }>(
    409,
    "never",
    (d) =>
      `Port group ${d.network} cannot have VLAN ${String(d.vlan)}: its virtual switch ${d.switch} is one segment, of VXLAN ${String(d.vni)}.`,
    () => "Leave --vlan out, or define another switch with another VNI: godwit switch add --help",
  ),
  /** A finding of the requirement checks. `reason`: a sentence's end. */
  NETWORK_TUNNEL_MISSING: define<{ host: string; network: string; from: string; reason: string }>(
    409,
    "after-fix",
    (d) =>
      `Port group ${d.network} has no VXLAN tunnel between hosts ${d.from} and ${d.host}: ${d.reason}. The VM would not reach others on ${d.from} after the move.`,
    () =>
      "What differs is applied again by itself, within seconds: check again. If it stays so, a host has an alarm that says what it cannot apply: godwit host list",
  ),
  NETWORK_OF_HOSTS: define<{ network: string; hosts: string[] }>(
    409,
    "after-fix",
    (d) =>
      `Port group ${d.network} is not defined at the server: ${listed(d.hosts)} ${d.hosts.length === 1 ? "has it by its" : "have it by their"} own configuration.`,
    (d) =>
      `Take ${d.network} out of portGroups in agent.yaml there, and restart the agent (systemctl restart godwit-agent).`,
  ),
  /** `users`: VMs and tasks, in words. */
  NETWORK_IN_USE: define<{ network: string; users: string[] }>(
    409,
    "after-fix",
    (d) => `Port group ${d.network} cannot be removed: it is used by ${listed(d.users)}.`,
    () => "Delete these VMs, or take them out of the inventory with godwit vm unregister; then try again.",
  ),
  /** An alarm. */
  NETWORK_NOT_APPLIED: define<{ network: string; host: string; reason: string }>(
    409,
    "after-fix",
    (d) => `Host ${d.host} does not have port group ${d.network} as it is defined: ${d.reason}.`,
    (d) =>
      `It is tried again by itself. What is defined and what the host has: godwit network show ${d.network}`,
  ),
  /** An alarm. `down`: those of its ports that carry nothing; `ports`: how many it has. */
  HOST_BOND_DEGRADED: define<{ host: string; link: string; down: string[]; ports: number }>(
    409,
    "after-fix",
    (d) =>
      `Bond ${d.link} of host ${d.host} has ${String(d.down.length)} of ${String(d.ports)} cards without a link: ${listed(d.down)}.`,
    (d) =>
      `Check the cables and switch ports of ${listed(d.down)} (ip link show master ${d.link} on ${d.host}).`,
  ),
  /** A finding of the requirement checks. */
  NETWORK_VLAN_DIFFERS: define<{
    host: string;
    network: string;
    vlan: number;
    from: string;
    sourceVlan: number;
  }>(
    409,
    "after-fix",
    (d) =>
      `Port group ${d.network} is VLAN ${String(d.vlan)} on host ${d.host} and VLAN ${String(d.sourceVlan)} on ${d.from}: the VM would be on another network after the move.`,
    (d) =>
      `See which of them has it as it is defined: godwit network show ${d.network}; what differs is applied again by itself.`,
  ),
} as const;
