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

/** With one more host for each that is named: like it, empty, open, and a fault domain of its own. What excludes a VM from the one excludes it from the other. */
export function withTwins(pool: Pool, names: readonly string[]): Pool {
  return names.reduce<Pool>((before, name) => {
    const like = before.hosts.find((host) => host.name === name);
    if (like === undefined) return before;
    const { faultDomain: _, ...host } = like;
    const twin = twinName(
      name,
      before.hosts.map((one) => one.name),
    );
    return {
      ...before,
      hosts: [...before.hosts, { ...host, name: twin, state: "open" }],
      vms: before.vms.map((vm) => {
        const reason = vm.excluded?.get(name);
        return reason === undefined ? vm : { ...vm, excluded: new Map(vm.excluded).set(twin, reason) };
      }),
    };
  }, pool);
}

function twinName(name: string, taken: readonly string[]): string {
  for (let number = 2; ; number += 1) {
    const twin = `${name.slice(0, 56)}-${String(number)}`;
    if (!taken.includes(twin)) return twin;
  }
}
