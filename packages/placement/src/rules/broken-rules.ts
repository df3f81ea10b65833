/**
 * Which rules one VM's change of place would break, or break further: for moves and starts that somebody asks for, where
 * nothing is planned. Only those that must hold; what is broken already and gets no worse is no reason.
 */
import { isMust } from "@godwit/contract";
import { ofKind, racksOf, type PoolRule } from "./pool-rule.ts";

export interface Places {
  /** Of all VMs that run, by their ids; those on their way count where they go. */
  hostOf: ReadonlyMap<string, string>;
  /** Of all pools; those of a pool's hosts name them all. */
  rules: readonly PoolRule[];
  coresOf: ReadonlyMap<string, number>;
}

export function brokenRules(places: Places, vm: string, to: string): PoolRule[] {
  const hostOf = new Map(places.hostOf).set(vm, to);
  const after = { ...places, hostOf };
  const racks = racksOf(places.rules);
  return places.rules.filter((rule) => {
    const concerns = rule.vms.some(({ id }) => id === vm) || rule.terms.kind === "maxVms";
    if (!concerns || (!isMust(rule.terms) && rule.terms.kind !== "maxVms" && rule.terms.kind !== "cpu"))
      return false;
    return violations(rule, after, racks, to) > violations(rule, places, racks, to);
  });
}

/** @param to of rules about one host, the host that is looked at */
function violations(
  { terms, vms, hosts }: PoolRule,
  { hostOf, rules, coresOf }: Places,
  racks: ReadonlyMap<string, string>,
  to: string,
): number {
  const at = vms.flatMap(({ id }) => hostOf.get(id) ?? []);
  const rackOf = (host: string) => racks.get(host) ?? `host ${host}`;
  switch (terms.kind) {
    case "together":
      return Math.max(0, new Set(at).size - 1);
    case "apart":
      return at.length - new Set(terms.of === "host" ? at : at.map(rackOf)).size;
    case "spread":
      // Of those that run: while fewer do than there are to be racks, each is in one of its own.
      return Math.max(0, Math.min(terms.racks, at.length) - new Set(at.map(rackOf)).size);
    case "on":
      return hosts.length === 0 ? 0 : at.filter((host) => !hosts.includes(host)).length;
    case "off":
      return at.filter((host) => hosts.includes(host)).length;
    case "maxVms": {
      if (!hosts.includes(to)) return 0;
      let count = 0;
      for (const host of hostOf.values()) if (host === to) count += 1;
      return Math.max(0, count - terms.count);
    }
    case "cpu": {
      if (terms.reservedCores === undefined) return 0;
      let reserved = 0;
      for (const { rule, terms: other } of ofKind(rules, "cpu"))
        for (const { id } of rule.vms) if (hostOf.get(id) === to) reserved += other.reservedCores ?? 0;
      return Math.max(0, reserved - (coresOf.get(to) ?? Infinity));
    }
    case "rack":
    case "restart":
    case "guestReset":
    case "resourcePool":
      return 0;
  }
}
