/** Errors about the way that migration streams take between two hosts: each cause has a code of its own. */
import { define } from "./define.ts";

/** From the source to the address and port at which the destination listened. */
interface Way {
  from: string;
  /** The destination. */
  host: string;
  address: string;
  port: number;
  /** The source's interface. */
  link: string;
}

const at = (d: Way): string => `${d.address.includes(":") ? `[${d.address}]` : d.address}:${String(d.port)}`;

export const migrationNetworkErrors = {
  MIGRATION_NETWORK_MISSING: define<{ host: string }>(
    409,
    "after-fix",
    (d) => `The agent's configuration of host ${d.host} names no migration address.`,
    (d) => `Set migration.address in it and restart the agent on ${d.host}.`,
  ),
  /** `address` is null where an earlier version's agent does not tell it. */
  MIGRATION_ADDRESS_ABSENT: define<{ host: string; address: string | null }>(
    409,
    "after-fix",
    (d) =>
      d.address === null
        ? `Host ${d.host} reports no migration address: none is configured, or no interface has it.`
        : `No interface of host ${d.host} has its migration address ${d.address}.`,
    (d) =>
      d.address === null
        ? `Set migration.address in the agent's configuration of ${d.host} to an address that ip address show lists there.`
        : `Give ${d.address} to an interface of ${d.host} (ip address show lists what they have), or correct migration.address in the agent's configuration and restart the agent.`,
  ),
  MIGRATION_LINK_OFF: define<{ host: string; link: string }>(
    409,
    "after-fix",
    (d) => `The migration link ${d.link} of host ${d.host} is switched off.`,
    (d) => `Switch it on, on ${d.host}: ip link set dev ${d.link} up`,
  ),
  MIGRATION_LINK_NO_CARRIER: define<{ host: string; link: string }>(
    409,
    "after-fix",
    (d) => `The migration link ${d.link} of host ${d.host} has no carrier.`,
    () => "Check the cable and the switch port; of a bridge or bond, those of its ports.",
  ),
  MIGRATION_BRIDGE_NO_PORT: define<{ host: string; link: string }>(
    409,
    "after-fix",
    (d) =>
      `The migration address of host ${d.host} is on the bridge ${d.link}, which has no port that leads outside.`,
    (d) => `Make the migration network's interface a port of it: ip link set dev INTERFACE master ${d.link}`,
  ),
  MIGRATION_NETWORK_SLOW: define<{ host: string; link: string; bitsPerSecond: number }>(
    409,
    "after-fix",
    (d) =>
      `The migration link ${d.link} of host ${d.host} runs at ${String(Math.round(d.bitsPerSecond / 1e6))} Mbit/s; at least 1000 Mbit/s are required.`,
    (d) =>
      `Use a gigabit network or faster for migration. A shaper of the link counts too: tc qdisc show dev ${d.link}`,
  ),
  MIGRATION_PORTS_TAKEN: define<{ host: string; address: string; first: number; last: number }>(
    409,
    "later",
    (d) =>
      `All migration ports of host ${d.host} (${d.address}, ${String(d.first)} to ${String(d.last)}) are in use.`,
    (d) =>
      `Wait for moves to ${d.host} to end, see which programs listen there (ss -ltnp), or widen migration.ports in its agent's configuration.`,
  ),
  // What a try of the way found.
  MIGRATION_ROUTE_MISSING: define<{ from: string; host: string; address: string }>(
    409,
    "after-fix",
    (d) => `Host ${d.from} has no route to the migration address ${d.address} of host ${d.host}.`,
    (d) =>
      `Give both hosts migration addresses of one network, or ${d.from} a route to ${d.address} (ip route get ${d.address} shows what it has).`,
  ),
  MIGRATION_ADDRESS_TWICE: define<{ from: string; host: string; address: string }>(
    409,
    "after-fix",
    (d) => `Hosts ${d.from} and ${d.host} both have the migration address ${d.address}.`,
    () => "Give each host a migration address of its own.",
  ),
  MIGRATION_HOST_UNANSWERED: define<Way & { asked: string }>(
    409,
    "after-fix",
    (d) =>
      `Nobody answers on link ${d.link} of host ${d.from} for ${d.asked}, ${d.asked === d.address ? `the migration address of host ${d.host}` : `the router on the way to the migration address ${d.address} of host ${d.host}`}.`,
    (d) =>
      `Check that the migration links of ${d.from} and ${d.host} are in one network or VLAN, and the switch between them.`,
  ),
  MIGRATION_PORT_FILTERED: define<Way>(
    409,
    "after-fix",
    (d) =>
      `Host ${d.from} gets no answer to connections to ${at(d)}, where host ${d.host} listened for migrations: a firewall at one of the two or between them drops them.`,
    (d) =>
      `Open the migration ports from ${d.from} to ${d.host} in the firewalls of both and between them (godwit host show ${d.host} names the ports).`,
  ),
  MIGRATION_PORT_REJECTED: define<Way & { reason: string }>(
    409,
    "after-fix",
    (d) =>
      `Connections of host ${d.from} to ${at(d)}, where host ${d.host} listened for migrations, are rejected (${d.reason}).`,
    (d) =>
      `Open the migration ports to ${d.from} in the firewalls of ${d.host} and between them (godwit host show ${d.host} names the ports), and see that no other machine has ${d.address}.`,
  ),
  MIGRATION_SENDING_FORBIDDEN: define<Way & { reason: string }>(
    409,
    "after-fix",
    (d) =>
      `Host ${d.from} itself does not let connections to ${at(d)}, a migration port of host ${d.host}, out (${d.reason}).`,
    (d) => `Allow them in the firewall of ${d.from} (nft list ruleset shows its rules).`,
  ),
  MIGRATION_ADDRESS_FOREIGN: define<Way>(
    409,
    "after-fix",
    (d) => `What answers host ${d.from} at ${at(d)} is not host ${d.host}.`,
    (d) => `Find the machine or the proxy that has ${d.address} too, and take the address from it.`,
  ),
  /** Either direction: from `sender` to `receiver`. */
  MIGRATION_PACKETS_LOST: define<{ sender: string; receiver: string; link: string; mtu: number | null }>(
    409,
    "after-fix",
    (d) =>
      `Full-size packets from host ${d.sender} to host ${d.receiver} are lost on the migration network${d.mtu === null ? "" : ` (MTU ${String(d.mtu)} on link ${d.link})`}, while small ones arrive.`,
    (d) =>
      `Let every switch and router between them pass packets of that MTU, or set the smaller one on the migration links of ${d.sender} and ${d.receiver}.`,
  ),
  MIGRATION_PATH_BROKEN: define<Way & { reason: string }>(
    409,
    "later",
    (d) =>
      `A connection from host ${d.from} to ${at(d)}, a migration port of host ${d.host}, did not last: ${d.reason}.`,
    () => "Check the migration network for losses, and try again.",
  ),
  MIGRATION_PATH_SLOW: define<Way & { bitsPerSecond: number }>(
    409,
    "after-fix",
    (d) =>
      `Only ${String(Math.round(d.bitsPerSecond / 1e6))} Mbit/s got through between hosts ${d.from} and ${d.host} on the migration network in a short try.`,
    () =>
      "The move may take long. Look for a link of less than a gigabit on the way, for losses, and for other traffic.",
  ),
  MIGRATION_ROUTE_ELSEWHERE: define<Way & { expected: string }>(
    409,
    "after-fix",
    (d) =>
      `Host ${d.from} reaches the migration address ${d.address} of host ${d.host} over its link ${d.link}, not over its migration link ${d.expected}.`,
    (d) =>
      `If that is not meant, give both hosts migration addresses of one network, or ${d.from} a route to ${d.address} over ${d.expected}.`,
  ),
  /** Of a move that had begun. */
  MIGRATION_NOT_CONNECTED: define<{
    vm: string;
    from: string;
    host: string;
    address: string;
    port: number;
    forMs: number;
  }>(
    503,
    "later",
    (d) =>
      `QEMU of VM ${d.vm} on host ${d.from} had sent nothing to host ${d.host} (${d.address}, port ${String(d.port)}) after ${String(Math.round(d.forMs / 1000))} s, for want of a connection; the move was undone.`,
    (d) => `The VM stays at its source. See what is in the way: godwit vm check ${d.vm} --to ${d.host}`,
  ),
  MIGRATION_PATH_UNTRIED: define<{ from: string; host: string; reason: string }>(
    409,
    "later",
    (d) => `The way for migration from host ${d.from} to host ${d.host} could not be tried: ${d.reason}.`,
    () => "The move finds out itself whether it is open; if it is not, the VM stays at its source.",
  ),
} as const;
