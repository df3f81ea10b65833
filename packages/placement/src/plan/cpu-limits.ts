/**
 * The CPUs that each VM of a pool gets at most. A VM's own limit holds as it is. What a resource pool may use over all hosts is divided among its
 * running VMs, as vSphere does: first what each wants, by reservations and shares, with some room to grow, then the rest by shares. The parts
 * of those that run are never more than the limit together. Pure.
 */
import { entitlements, type ShareNode } from "../load/resource-pools.ts";
import { ofKind, type PoolRule } from "../rules/pool-rule.ts";
import type { WeightedVm } from "./cpu-weights.ts";
import { resourcePoolTree } from "./resource-pool-tree.ts";
import { sharesPerVcpu } from "./with-rules.ts";

export interface LimitedVm extends WeightedVm {
  /** One that does not run takes no part from the others; when it starts it has what it would get if all wanted all. */
  runs: boolean;
}

/** What a VM may want before the next round: so much of what it wants now, and a little of a CPU. */
const growth = 1.25;
const startingCpus = 0.05;
/** What can be set: a hundredth of a CPU. */
const least = 0.01;

/**
 * @param vms of the pool
 * @param rules of the pool
 * @returns by the VM's id; those that have no limit are not named
 */
export function cpuLimits(vms: readonly LimitedVm[], rules: readonly PoolRule[]): Map<string, number> {
  const own = new Map(
    [...ofKind(rules, "cpu")].flatMap(({ rule, terms }) =>
      terms.limitCores === undefined
        ? []
        : rule.vms.map(({ id }) => [id as string, terms.limitCores] as const),
    ),
  );
  const limited = membersOfLimited(rules);
  const parts = limited.size === 0 ? new Map<string, number>() : dividedParts(vms, rules, own);
  return new Map(
    vms.flatMap(({ id, vcpus }) => {
      const part = limited.has(id) ? Math.max(least, parts.get(id) ?? vcpus) : Infinity;
      const cpus = Math.min(own.get(id) ?? Infinity, part);
      return Number.isFinite(cpus) ? [[id, cpus] as const] : [];
    }),
  );
}

/** VMs in resource pools that have a limit, or are in one that has. */
function membersOfLimited(rules: readonly PoolRule[]): Set<string> {
  const pools = [...ofKind(rules, "resourcePool")];
  const isLimited = (name: string | undefined, depth: number): boolean => {
    const one = pools.find(({ rule }) => rule.name === name);
    if (one === undefined || depth > pools.length) return false;
    return one.terms.limitCores !== undefined || isLimited(one.terms.parent, depth + 1);
  };
  return new Set(
    pools.filter(({ rule }) => isLimited(rule.name, 0)).flatMap(({ rule }) => rule.vms.map(({ id }) => id)),
  );
}

function dividedParts(
  vms: readonly LimitedVm[],
  rules: readonly PoolRule[],
  own: ReadonlyMap<string, number | undefined>,
): Map<string, number> {
  const terms = new Map(
    [...ofKind(rules, "cpu")].flatMap(({ rule, terms: one }) =>
      rule.vms.map(({ id }) => [id as string, one]),
    ),
  );
  const divide = (
    among: readonly LimitedVm[],
    wants: (vm: LimitedVm) => number,
    floors: ReadonlyMap<string, number> | null,
  ): Map<string, number> => {
    const leaves = new Map(
      among.map((vm): [string, ShareNode] => {
        const { shares = vm.vcpus * sharesPerVcpu, reservedCores } = terms.get(vm.id) ?? {};
        const reservation = floors?.get(vm.id) ?? reservedCores ?? 0;
        const limit = Math.min(own.get(vm.id) ?? Infinity, vm.vcpus);
        return [vm.id, { name: vm.id, demand: wants(vm), shares, limit, reservation }];
      }),
    );
    const tree = resourcePoolTree(rules, leaves, ({ vms: named }) => named.map(({ id }) => id));
    return entitlements(floors === null ? tree : withFloors(tree), Infinity);
  };
  const running = vms.filter(({ runs }) => runs);
  const first = divide(
    running,
    ({ vcpus, demandCpus }) => (demandCpus ?? vcpus) * growth + startingCpus,
    null,
  );
  const parts = divide(running, ({ vcpus }) => vcpus, first);
  const ifAll = divide(vms, ({ vcpus }) => vcpus, null);
  return new Map(vms.map(({ id, runs, vcpus }) => [id, (runs ? parts : ifAll).get(id) ?? vcpus]));
}

/** Each node keeps at least what all in it keep. */
function withFloors(node: ShareNode): ShareNode {
  if (node.children === undefined) return node;
  const children = node.children.map(withFloors);
  const inside = children.reduce((sum, { reservation = 0 }) => sum + reservation, 0);
  return { ...node, children, reservation: inside };
}
