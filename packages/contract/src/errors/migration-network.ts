/** Errors about the way that migration streams take between two hosts: each cause has a code of its own. */
import { define } from "./define.ts";

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
    () => "Use a gigabit network or faster for migration.",
  ),
  MIGRATION_PORTS_TAKEN: define<{ host: string; address: string; first: number; last: number }>(
    409,
    "later",
    (d) =>
      `All migration ports of host ${d.host} (${d.address}, ${String(d.first)} to ${String(d.last)}) are in use.`,
    (d) =>
      `Wait for moves to ${d.host} to end, see which programs listen there (ss -ltnp), or widen migration.ports in its agent's configuration.`,
  ),
} as const;
