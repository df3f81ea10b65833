/** Errors about pools and about VMs that follow a pool's baseline. */
import { define } from "./define.ts";

export const poolErrors = {
  POOL_UNKNOWN: define<{ pool: string; known: string[] }>(
    404,
    "never",
    (d) => `There is no pool ${d.pool}.`,
    (d) =>
      d.known.length === 0 ? "Make one: godwit pool create NAME" : `Known pools: ${d.known.join(", ")}.`,
  ),
  POOL_EXISTS: define<{ pool: string }>(
    409,
    "never",
    (d) => `There is a pool ${d.pool} already.`,
    () => "Choose another name.",
  ),
  POOL_NOT_EMPTY: define<{ pool: string; hosts: string[] }>(
    409,
    "after-fix",
    (d) => `Pool ${d.pool} still has hosts: ${d.hosts.join(", ")}.`,
    (d) => `Take them out first: godwit pool remove-host ${d.pool} HOST`,
  ),
  POOL_CHANGED: define<{ pool: string }>(
    409,
    "later",
    (d) => `Pool ${d.pool} was changed by someone else in the meantime.`,
    () => "Look at the pool and ask again.",
  ),
  HOST_IN_OTHER_POOL: define<{ host: string; pool: string; other: string }>(
    409,
    "after-fix",
    (d) => `Host ${d.host} is in pool ${d.other}; a host is in one pool at most.`,
    (d) => `Take it out there first: godwit pool remove-host ${d.other} ${d.host}`,
  ),
  POOL_CHANGE_REFUSED: define<{ pool: string; what: string; count: number }>(
    409,
    "after-fix",
    (d) =>
      `Pool ${d.pool} was not changed: ${d.what} meets ${String(d.count)} ${d.count === 1 ? "obstacle" : "obstacles"}.`,
    () => "Each finding says what is wrong, where, and what to do.",
  ),
} as const;
