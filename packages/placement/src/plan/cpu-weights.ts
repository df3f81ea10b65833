/**
 * How the CPUs of a host are weighted among its VMs: each by what it is entitled to in the tree of resource pools, as far as that is on this
 * host. A resource pool is as heavy however many of its VMs are here, and what one of them does not want goes to the others in it first. A
 * VM weighs no less than if all wanted all: one that wakes up need not wait for the next round, and one that sleeps takes nothing by its
 * weight. 100 is the mean, as of a VM that has no weight.
 */
import { entitlements, type ShareNode } from "../load/resource-pools.ts";
import { ofKind, type PoolRule } from "../rules/pool-rule.ts";
import { resourcePoolTree } from "./resource-pool-tree.ts";
import { sharesPerVcpu } from "./with-rules.ts";

export interface WeightedVm {
  id: string;
  vcpus: number;
  /** CPUs that it used or waited for; null: not known, it may want all. */
  demandCpus: number | null;
}

interface CpuTerms {
  shares?: number | undefined;
  reservedCores?: number | undefined;
  limitCores?: number | undefined;
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
  const termsOf = new Map<string, CpuTerms>(
    [...ofKind(rules, "cpu")].flatMap(({ rule, terms }) => rule.vms.map(({ id }) => [id, terms] as const)),
  );
  const hasPools = rules.some(({ terms }) => terms.kind === "resourcePool");
  const isDivided =
    hasPools ||
    vms.some(({ id }) => {
      const { shares, reservedCores } = termsOf.get(id) ?? {};
      return shares !== undefined || reservedCores !== undefined;
    });
  if (!isDivided) return new Map();
  const entitled = (demandOf: (vm: WeightedVm) => number): Map<string, number> => {
    const leaves = new Map(vms.map((vm) => [vm.id, leafOf(vm, demandOf(vm), termsOf.get(vm.id) ?? {})]));
    const tree = resourcePoolTree(rules, leaves, ({ vms: named }) => named.map(({ id }) => id));
    return entitlements(tree, cores);
  };
  const ifAll = entitled(({ vcpus }) => vcpus);
  const now = entitled(({ vcpus, demandCpus }) => Math.min(vcpus, demandCpus ?? vcpus));
  const sum = [...ifAll.values()].reduce((all, one) => all + one, 0);
  return new Map(
    vms.map(({ id }) => {
      const most = Math.max(ifAll.get(id) ?? 0, now.get(id) ?? 0);
      const weight = sum === 0 ? usual : Math.round((usual * vms.length * most) / sum);
      return [id, Math.max(bounds.least, Math.min(bounds.most, weight))];
    }),
  );
}

const leafOf = (
  { id, vcpus }: WeightedVm,
  demand: number,
  { shares = vcpus * sharesPerVcpu, reservedCores, limitCores = Infinity }: CpuTerms,
): ShareNode => ({
  ...{ name: id, demand, shares, limit: Math.min(limitCores, vcpus) },
  ...(reservedCores === undefined ? {} : { reservation: reservedCores }),
});
