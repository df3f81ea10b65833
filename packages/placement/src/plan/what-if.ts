/** The pool as it would be: without hosts, or with hosts that it has not yet. The plan of it is what would happen. */
import type { Pool, PoolHost } from "./pool.ts";

export interface WhatIf {
  /** To be emptied. */
  without: readonly string[];
  add: readonly PoolHost[];
}

export function supposed(pool: Pool, { without, add }: WhatIf): Pool {
  const leaving = new Set(without);
  return {
    ...pool,
    hosts: [...pool.hosts, ...add].map((host) =>
      leaving.has(host.name) ? { ...host, state: "leaving" } : host,
    ),
  };
}
