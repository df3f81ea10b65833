/**
 * A lease as users and agents see it, derived from what is on the storage and of what this host's sanlock
 * knows of the other hosts. Pure: the clocks are given.
 */
import type { Lease } from "@godwit/contract";
import type { ResourceOnDisk } from "./sanlock-resource.ts";
import type { HostLease } from "./sanlock.ts";

/** sanlock's own terms, in io timeouts: it kills holders after so many without a renewal… */
export const failAfter = 8;
/** …and the watchdog resets the host within so many seconds after that. */
const watchdogSeconds = 60;

/** `monotonic`: seconds of this host's monotonic clock, which is sanlock's too; `wallMs`: since 1970. */
export interface Clocks {
  monotonic: number;
  wallMs: number;
}

export const ageSeconds = ({ timestamp, lastLive }: HostLease, { monotonic }: Clocks): number =>
  timestamp === 0 ? Infinity : monotonic - lastLive;

/** Whether a host's own lease was renewed so lately that it will be for a while. */
export const isFresh = (lease: HostLease, clocks: Clocks): boolean =>
  ageSeconds(lease, clocks) < (failAfter / 2) * lease.ioTimeoutSeconds + 1;

/** Whether sanlock still counts what a host holds: until then nobody else gets what was not released. */
export const isCounted = (lease: HostLease, clocks: Clocks): boolean =>
  ageSeconds(lease, clocks) < failAfter * lease.ioTimeoutSeconds + watchdogSeconds;

/** Whether a host was observed for long enough without a renewal: a host that observes late sees nobody renew. */
const isSilent = (lease: HostLease, clocks: Clocks): boolean =>
  !isFresh(lease, clocks) &&
  (lease.timestamp === 0 || lease.lastCheck - lease.lastLive >= (failAfter / 2) * lease.ioTimeoutSeconds);

/**
 * Those who hold a lease, as far as it counts: a host that has left, or joined again since, holds nothing.
 * @param names by id, of hosts that are not among `hosts`
 */
export function holdersOf(
  { exclusive, shared }: ResourceOnDisk,
  hosts: readonly HostLease[],
  clocks: Clocks,
  names: ReadonlyMap<number, string> = new Map(),
): Lease["holders"] {
  const owners = [
    ...(exclusive === null ? [] : [{ ...exclusive, mode: "EX" as const }]),
    ...shared.map((owner) => ({ ...owner, mode: "SH" as const, timestamp: null })),
  ];
  const holders = owners.flatMap(({ id, generation, mode, timestamp }) => {
    const host = hosts.find((one) => one.id === id);
    // Nothing is known of a host that joined before this one and has not renewed since.
    if (host === undefined)
      return [
        { host: names.get(id) ?? `host-id-${String(id)}`, mode, since: null, fresh: false, freeInMs: null },
      ];
    if (host.generation !== generation || host.timestamp === 0) return [];
    const fresh = !isSilent(host, clocks);
    const since = timestamp === null ? null : sinceOf(host, timestamp, clocks);
    return [{ host: host.name, mode, since, fresh, freeInMs: fresh ? null : freeInMs(host, clocks) }];
  });
  return holders.sort((one, other) => one.host.localeCompare(other.host));
}

/** When what a silent host holds can be taken by others, in milliseconds from now. */
function freeInMs(host: HostLease, clocks: Clocks): number {
  const leftSeconds = failAfter * host.ioTimeoutSeconds + watchdogSeconds - ageSeconds(host, clocks);
  return Math.max(0, Math.round(leftSeconds * 1000));
}

/** A grant's time is of its host's own clock, of which the storage also has the time of the last renewal. */
function sinceOf(host: HostLease, timestamp: number, { monotonic, wallMs }: Clocks): string {
  const secondsAgo = host.timestamp - timestamp + (monotonic - host.lastLive);
  return new Date(wallMs - secondsAgo * 1000).toISOString();
}
