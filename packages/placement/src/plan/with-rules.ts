/** A pool with its rules, as the planner knows them. What a rule names and the pool does not have is left out. */
import { isMust } from "@godwit/contract";
import { entitlements, type ShareNode } from "../load/resource-pools.ts";
import { idleReason, ofKind, racksOf, type PoolRule } from "../rules/pool-rule.ts";
import { resourcePoolTree } from "./resource-pool-tree.ts";
import type { Pool, PoolHost, PoolVm, Rule } from "./pool.ts";

/** Shares of a VM that no rule gives any. */
export const sharesPerVcpu = 1000;

/** @param namesOf what the pool calls a VM of a rule; several where it is on more than one host */
export function withRules(
  pool: Pool,
  rules: readonly PoolRule[],
  namesOf: (vm: PoolRule["vms"][number]) => readonly string[] = ({ name }) => [name],
): Pool {
  if (rules.length === 0) return pool;
  const hasHost = new Set(pool.hosts.map(({ name }) => name));
  const hasVm = new Set(pool.vms.map(({ name }) => name));
  const namesIn = (rule: PoolRule) => rule.vms.flatMap(namesOf).filter((name) => hasVm.has(name));
  const counting = rules.filter(
    (rule) =>
      idleReason(
        rule,
        (host) => hasHost.has(host),
        (vm) => namesOf(vm).some((name) => hasVm.has(name)),
      ) === null,
  );
  return {
    hosts: withHostRules(pool.hosts, counting),
    vms: withShares(pool, withCpuRules(pool.vms, counting, namesIn), counting, namesIn),
    rules: [...pool.rules, ...counting.flatMap((rule) => planned(rule, namesIn(rule), hasHost))],
  };
}

function withHostRules(hosts: readonly PoolHost[], rules: readonly PoolRule[]): PoolHost[] {
  const racks = racksOf(rules);
  const counts = [...ofKind(rules, "maxVms")];
  return hosts.map((host) => {
    const rack = racks.get(host.name);
    const most = counts
      .filter(({ rule }) => rule.hosts.length === 0 || rule.hosts.includes(host.name))
      .map(({ terms }) => terms.count);
    return {
      ...host,
      ...(rack === undefined ? {} : { faultDomain: `rack ${rack}` }),
      ...(most.length === 0 ? {} : { maxVms: Math.min(...most, host.maxVms ?? Infinity) }),
    };
  });
}

interface SharedVm extends PoolVm {
  shares?: number;
}

function withCpuRules(
  vms: readonly PoolVm[],
  rules: readonly PoolRule[],
  namesIn: (rule: PoolRule) => string[],
): SharedVm[] {
  const byVm = new Map(
    [...ofKind(rules, "cpu")].flatMap(({ rule, terms }) =>
      namesIn(rule).map((name) => {
        const { kind: _, ...given } = terms;
        return [name, given] as const;
      }),
    ),
  );
  return vms.map((vm) => ({ ...vm, ...byVm.get(vm.name) }));
}

/** Where the pool, or a resource pool, has less than its VMs want, none counts for more than its shares give it. */
function withShares(
  { hosts }: Pool,
  vms: readonly SharedVm[],
  rules: readonly PoolRule[],
  namesIn: (rule: PoolRule) => string[],
): PoolVm[] {
  const hasPools = rules.some(({ terms }) => terms.kind === "resourcePool");
  const isDivided = hasPools || vms.some(({ shares }) => shares !== undefined);
  const cores = hosts.reduce((sum, host) => sum + (host.state === "leaving" ? 0 : host.cores), 0);
  const leaves = new Map(vms.map((vm) => [vm.name, leafOf(vm)]));
  const entitled = isDivided ? entitlements(resourcePoolTree(rules, leaves, namesIn), cores) : null;
  const wanted = vms.reduce((sum, vm) => sum + demandOf(vm), 0);
  return vms.map(({ shares: _, ...vm }) => {
    const most = entitled?.get(vm.name);
    const isShort = wanted > cores || (most !== undefined && most < demandOf(vm) - 1e-9);
    if (most === undefined || !isShort) return vm;
    return { ...vm, limitCores: Math.min(vm.limitCores ?? Infinity, most) };
  });
}

const demandOf = ({ load, vcpus }: PoolVm): number => load?.mean ?? vcpus / 2;

const leafOf = (vm: SharedVm): ShareNode => ({
  ...{ name: vm.name, demand: demandOf(vm) },
  shares: vm.shares ?? vm.vcpus * sharesPerVcpu,
  ...(vm.reservedCores === undefined ? {} : { reservation: vm.reservedCores }),
  limit: Math.min(vm.limitCores ?? Infinity, vm.vcpus),
});

function planned(rule: PoolRule, vms: readonly string[], hasHost: ReadonlySet<string>): Rule[] {
  const { name, terms } = rule;
  const hosts = rule.hosts.filter((host) => hasHost.has(host));
  const base = { name, hard: isMust(terms), vms };
  switch (terms.kind) {
    case "together":
      return [{ ...base, kind: "keepTogether" }];
    case "apart":
      return [{ ...base, kind: "keepApart", of: terms.of === "host" ? "host" : "faultDomain" }];
    case "spread":
      return [{ ...base, kind: "spread", faultDomains: Math.min(terms.racks, vms.length) }];
    case "on":
    case "off":
      return [{ ...base, kind: "vmHost", hosts, where: terms.kind }];
    case "rack":
    case "maxVms":
    case "cpu":
    case "restart":
    case "guestReset":
    case "resourcePool":
      return [];
  }
}
