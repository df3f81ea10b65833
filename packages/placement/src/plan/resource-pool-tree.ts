/** Resource pools of a pool as a tree, with its VMs as the leaves. One whose parent is not there is a part of the whole pool. Pure. */
import { usualPoolShares } from "@godwit/contract";
import type { ShareNode } from "../load/resource-pools.ts";
import { ofKind, type PoolRule } from "../rules/pool-rule.ts";

/** As in vSphere. */
export const mostDepth = 8;

/** @param leaves the VMs, by what the pool calls them */
export function resourcePoolTree(
  rules: readonly PoolRule[],
  leaves: ReadonlyMap<string, ShareNode>,
  namesIn: (rule: PoolRule) => readonly string[],
): ShareNode {
  const pools = [...ofKind(rules, "resourcePool")];
  const names = new Set(pools.map(({ rule }) => rule.name));
  const placed = new Set<string>();
  const nodeOf = (one: (typeof pools)[number], depth: number): ShareNode => {
    const { shares = usualPoolShares, reservedCores, limitCores } = one.terms;
    const own = namesIn(one.rule).flatMap((name) => {
      const leaf = placed.has(name) ? undefined : leaves.get(name);
      placed.add(name);
      return leaf ?? [];
    });
    const inner = depth >= mostDepth ? [] : pools.filter(({ terms }) => terms.parent === one.rule.name);
    return {
      ...{ name: `resource pool ${one.rule.name}`, shares },
      ...(reservedCores === undefined ? {} : { reservation: reservedCores }),
      ...(limitCores === undefined ? {} : { limit: limitCores }),
      children: [...inner.map((child) => nodeOf(child, depth + 1)), ...own],
    };
  };
  const top = pools.filter(({ terms }) => terms.parent === undefined || !names.has(terms.parent));
  const nodes = top.map((one) => nodeOf(one, 1));
  const rest = [...leaves].flatMap(([name, leaf]) => (placed.has(name) ? [] : [leaf]));
  return { name: "pool", shares: 1, children: [...nodes, ...rest] };
}
