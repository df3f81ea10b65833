/**
 * How the CPUs of a host are weighted among its VMs where they all want them: each by what it is entitled to in the tree of resource pools, as
 * far as that is on this host. A resource pool is as heavy however many of its VMs are here. 100 is the mean, as of a VM that has no weight.
 */
import { ofKind, type PoolRule } from "../rules/pool-rule.ts";
import { resourcePoolTree } from "./resource-pool-tree.ts";
import { sharesPerVcpu } from "./with-rules.ts";
import { entitlements, type ShareNode } from "../load/resource-pools.ts";

export interface WeightedVm {
  id: string;
  vcpus: number;
}

const usual = 100;
/** What the kernel takes (`cpu.weight`, Documentation/admin-guide/cgroup-v2). */
const bounds = { least: 1, most: 10_000 };

/**
 * @param vms those that run on the host
 * @param rules of its pool
 * @returns by the VM's id; empty where no rule divides anything
 */
export function cpuWeights(
  vms: readonly WeightedVm[],
  cores: number,
  rules: readonly PoolRule[],
): Map<string, number> {
  const hasPools = rules.some(({ terms }) => terms.kind === "resourcePool");
  const byVm = new Map<string, { shares?: number; reservedCores?: number; limitCores?: number }>(
    [...ofKind(rules, "cpu")].flatMap(({ rule, terms: { shares, reservedCores, limitCores } }) =>
      rule.vms.map(({ id }) => [
        id,
        {
          ...(shares === undefined ? {} : { shares }),
          ...(reservedCores === undefined ? {} : { reservedCores }),
          ...(limitCores === undefined ? {} : { limitCores }),
        },
      ]),
    ),
  );
  const isDivided = hasPools || vms.some(({ id }) => byVm.get(id)?.shares !== undefined);
  if (!isDivided || vms.length === 0) return new Map();
  const leaves = new Map(vms.map((vm) => [vm.id, leafOf(vm, byVm.get(vm.id))]));
  const tree = resourcePoolTree(rules, leaves, ({ vms: named }) => named.map(({ id }) => id));
  const entitled = entitlements(tree, cores);
  const sum = [...entitled.values()].reduce((all, one) => all + one, 0);
  return new Map(
    vms.map(({ id }) => {
      const weight = sum === 0 ? usual : Math.round((usual * vms.length * (entitled.get(id) ?? 0)) / sum);
      return [id, Math.max(bounds.least, Math.min(bounds.most, weight))];
    }),
  );
}

/** It wants all that it could use. */
const leafOf = (
  { id, vcpus }: WeightedVm,
  {
    shares,
    reservedCores,
    limitCores,
  }: { shares?: number; reservedCores?: number; limitCores?: number } = {},
): ShareNode => ({
  ...{ name: id, demand: vcpus, shares: shares ?? vcpus * sharesPerVcpu },
  ...(reservedCores === undefined ? {} : { reservation: reservedCores }),
  limit: Math.min(limitCores ?? Infinity, vcpus),
});
