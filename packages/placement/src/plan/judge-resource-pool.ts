/**
 * Whether a resource pool can be beside those that there are: a VM is in one at most, what is reserved in it fits under its limit and those of
 * its parents, and all that is reserved is there. A parent must be there already: no circle can be made.
 */
import type { HostFacts, PoolRuleTerms } from "@godwit/contract";
import { ofKind, type PoolRule } from "../rules/pool-rule.ts";
import { mostDepth } from "./resource-pool-tree.ts";

type Terms = Extract<PoolRuleTerms, { kind: "resourcePool" }>;
interface ResourcePoolFacts {
  rule: PoolRule;
  others: readonly PoolRule[];
  /** All of the pool. */
  hosts: readonly { facts: Pick<HostFacts, "cpu"> | null }[];
}

type Entry = { rule: PoolRule; terms: Terms };

export function judgeResourcePool(facts: ResourcePoolFacts): string[] {
  const { rule, others, hosts } = facts;
  const { terms } = rule;
  if (terms.kind !== "resourcePool") return [];
  const before = [...ofKind(others, "resourcePool")];
  const above = parentsOf(terms, before);
  if (above === null) return [`There is no resource pool ${terms.parent ?? ""} in the pool.`];
  const { reservedCores = 0, limitCores = Infinity } = terms;
  const all = [...before, { rule, terms }];
  const cores = hosts.reduce((sum, { facts: known }) => sum + (known?.cpu.logicalCpus ?? Infinity), 0);
  const reserved = all
    .filter((one) => one.terms.parent === undefined)
    .reduce((sum, one) => sum + promised(one, all, others), 0);
  return [
    ...rule.vms.flatMap(({ id, name }) => {
      const other = before.find((one) => one.rule.vms.some((vm) => vm.id === id));
      return other === undefined ? [] : [`VM ${name} is in resource pool ${other.rule.name} already.`];
    }),
    ...(above.length >= mostDepth
      ? [`Resource pools lie in each other ${String(mostDepth)} deep at most.`]
      : []),
    ...(reservedCores > limitCores ? ["It reserves more than its limit allows."] : []),
    ...[{ rule, terms }, ...above].flatMap((one) => {
      const inside = promisedInside(one, all, others);
      const limit = one.terms.limitCores ?? Infinity;
      return inside <= limit
        ? []
        : [
            `In resource pool ${one.rule.name} ${String(inside)} CPUs would be reserved, and its limit is ${String(limit)}.`,
          ];
    }),
    ...(reserved > cores
      ? [
          `With it ${String(reserved)} CPUs are reserved by resource pools, and the pool has ${String(cores)}.`,
        ]
      : []),
  ];
}

/** From the nearest on; null: one is missing. */
function parentsOf({ parent }: Terms, pools: readonly Entry[]): Entry[] | null {
  if (parent === undefined) return [];
  const found = pools.find(({ rule }) => rule.name === parent);
  if (found === undefined) return null;
  return [found, ...(parentsOf(found.terms, pools) ?? [])];
}

/** What it promises: its own reservation, or what is reserved in it where that is more. */
const promised = (one: Entry, all: readonly Entry[], rules: readonly PoolRule[]): number =>
  Math.max(one.terms.reservedCores ?? 0, promisedInside(one, all, rules));

function promisedInside(one: Entry, all: readonly Entry[], rules: readonly PoolRule[]): number {
  const ofVms = [...ofKind(rules, "cpu")].reduce(
    (sum, { rule, terms }) =>
      sum +
      (terms.reservedCores ?? 0) *
        rule.vms.filter(({ id }) => one.rule.vms.some((vm) => vm.id === id)).length,
    0,
  );
  return all
    .filter(({ terms }) => terms.parent === one.rule.name)
    .reduce((sum, child) => sum + promised(child, all, rules), ofVms);
}
