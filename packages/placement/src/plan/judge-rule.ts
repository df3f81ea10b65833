/**
 * Whether a rule can hold beside those that a pool has: every reason against it as a sentence. Hosts count as they are
 * configured, VMs whether they run or not: a rule is made for later, too.
 */
import { qemuOverheadBytes } from "@godwit/requirements";
import type { HostFacts, PoolRuleKind, VmView } from "@godwit/contract";
import { memoryBytes } from "../evacuation.ts";
import { ofKind, racksOf, type PoolRule } from "../rules/pool-rule.ts";
import { ruleConflicts } from "./conflicts.ts";
import type { Pool } from "./pool.ts";
import { judgeResourcePool } from "./judge-resource-pool.ts";
import { withRules } from "./with-rules.ts";

export interface RuleFacts {
  rule: PoolRule;
  /** Those that the pool has. */
  others: readonly PoolRule[];
  /** All of the pool. */
  hosts: readonly { name: string; facts: Pick<HostFacts, "cpu" | "memory"> | null }[];
  /** All whose host is in the pool. */
  vms: readonly VmView[];
}

/** How many VMs and hosts each kind names. */
const shapes: Record<PoolRuleKind, { vms: "none" | "any" | "some" | "two"; hosts: "none" | "any" | "some" }> =
  {
    together: { vms: "two", hosts: "none" },
    apart: { vms: "two", hosts: "none" },
    spread: { vms: "two", hosts: "none" },
    on: { vms: "some", hosts: "some" },
    off: { vms: "some", hosts: "some" },
    rack: { vms: "none", hosts: "some" },
    maxVms: { vms: "none", hosts: "any" },
    cpu: { vms: "some", hosts: "none" },
    restart: { vms: "some", hosts: "none" },
    guestReset: { vms: "some", hosts: "none" },
    resourcePool: { vms: "any", hosts: "none" },
  };

/** @returns none: it can be made */
export function judgeRule(facts: RuleFacts): string[] {
  const wrong = [...ofShape(facts.rule), ...notInPool(facts)];
  if (wrong.length > 0) return wrong;
  return [
    ...ofRacks(facts),
    ...ofCounts(facts),
    ...ofCpus(facts),
    ...judgeResourcePool(facts),
    ...ofRestarts(facts),
    ...ofGuestResets(facts),
    ...ofOthers(facts),
  ];
}

function ofShape({ terms, vms, hosts }: PoolRule): string[] {
  const shape = shapes[terms.kind];
  const least = { none: 0, any: 0, some: 1, two: 2 }[shape.vms];
  return [
    ...(vms.length < least
      ? [`It names ${String(vms.length)} VMs and needs ${String(least)} at least.`]
      : []),
    ...(shape.vms === "none" && vms.length > 0 ? ["A rule about hosts names no VMs."] : []),
    ...(shape.hosts === "some" && hosts.length === 0 ? ["It names no host."] : []),
    ...(shape.hosts === "none" && hosts.length > 0 ? ["A rule about VMs alone names no hosts."] : []),
    ...(terms.kind === "spread" && terms.racks > vms.length
      ? [`${String(vms.length)} VMs cannot be in ${String(terms.racks)} racks.`]
      : []),
    ...(terms.kind === "cpu" && Object.keys(terms).length === 1
      ? ["It sets neither a reservation nor a limit nor shares."]
      : []),
  ];
}

function notInPool({ rule, vms }: RuleFacts): string[] {
  const here = new Set(vms.map(({ id }) => id));
  return rule.vms
    .filter(({ id }) => !here.has(id))
    .map(({ name }) => `VM ${name} is not on a host of the pool.`);
}

function ofRacks({ rule, others }: RuleFacts): string[] {
  if (rule.terms.kind !== "rack") return [];
  const { rack } = rule.terms;
  const racks = racksOf(others);
  return rule.hosts.flatMap((host) => {
    const other = racks.get(host);
    return other === undefined || other === rack
      ? []
      : [`Host ${host} is in rack ${other} already; a host is in one rack.`];
  });
}

function ofCounts({ rule, others, hosts, vms }: RuleFacts): string[] {
  if (rule.terms.kind !== "maxVms") return [];
  const all = withRules(emptyPool(hosts), [...others, rule]).hosts;
  const most = all.reduce((sum, { maxVms = Infinity }) => sum + maxVms, 0);
  if (vms.length <= most) return [];
  return [`The pool has ${String(vms.length)} VMs, and its hosts would take ${String(most)}.`];
}

function ofCpus({ rule, others, hosts, vms }: RuleFacts): string[] {
  if (rule.terms.kind !== "cpu") return [];
  const { reservedCores = 0, limitCores = Infinity } = rule.terms;
  const taken = [...ofKind(others, "cpu")];
  const cores = hosts.map(({ facts }) => facts?.cpu.logicalCpus ?? Infinity);
  const largest = Math.max(0, ...cores);
  const reserved = taken.reduce(
    (sum, { rule: { vms: of }, terms }) => sum + of.length * (terms.reservedCores ?? 0),
    reservedCores * rule.vms.length,
  );
  const all = cores.reduce((sum, one) => sum + one, 0);
  return [
    ...rule.vms.flatMap(({ id, name }) => {
      const other = taken.find((one) => one.rule.vms.some((vm) => vm.id === id));
      return other === undefined
        ? []
        : [`The CPUs of VM ${name} are set by rule ${other.rule.name} already.`];
    }),
    ...(reservedCores > limitCores ? ["It reserves more than its limit allows."] : []),
    ...rule.vms.flatMap(({ id, name }) => {
      const vcpus = vms.find((vm) => vm.id === id)?.config.vcpus ?? Infinity;
      return reservedCores > vcpus
        ? [`VM ${name} has ${String(vcpus)} vCPUs and cannot use ${String(reservedCores)} CPUs.`]
        : [];
    }),
    ...(reservedCores > largest ? [`No host of the pool has ${String(reservedCores)} CPUs.`] : []),
    ...(reserved > all
      ? [`With it ${String(reserved)} CPUs are reserved, and the pool has ${String(all)}.`]
      : []),
  ];
}

/** What becomes of a VM whose guest hangs is said once. */
function ofGuestResets({ rule, others }: RuleFacts): string[] {
  if (rule.terms.kind !== "guestReset") return [];
  const taken = [...ofKind(others, "guestReset")];
  return rule.vms.flatMap(({ id, name }) => {
    const other = taken.find((one) => one.rule.vms.some((vm) => vm.id === id));
    return other === undefined
      ? []
      : [`Whether VM ${name} is reset when its guest hangs is set by rule ${other.rule.name} already.`];
  });
}

/** It comes after rules that are there: no circle can be made. */
function ofRestarts({ rule, others }: RuleFacts): string[] {
  if (rule.terms.kind !== "restart") return [];
  const taken = [...ofKind(others, "restart")];
  const { priority, after = [] } = rule.terms;
  return [
    ...rule.vms.flatMap(({ id, name }) => {
      const other = taken.find((one) => one.rule.vms.some((vm) => vm.id === id));
      return other === undefined
        ? []
        : [`How VM ${name} is restarted is set by rule ${other.rule.name} already.`];
    }),
    ...after
      .filter((name) => !taken.some((one) => one.rule.name === name))
      .map((name) => `The pool has no rule ${name} about restarting that it could come after.`),
    ...(priority === "never" && after.length > 0 ? ["VMs that are not restarted come after none."] : []),
  ];
}

/** What conflicts with it, and did not before. */
function ofOthers({ rule, others, hosts, vms }: RuleFacts): string[] {
  const pool = { ...emptyPool(hosts), vms: vms.map(placeless) };
  const before = new Set(ruleConflicts(withRules(pool, others)).map(({ message }) => message));
  return ruleConflicts(withRules(pool, [...others, rule]))
    .map(({ message }) => message)
    .filter((message) => !before.has(message));
}

const emptyPool = (hosts: RuleFacts["hosts"]): Pool => ({
  hosts: hosts.map(({ name, facts }) => ({
    name,
    cores: facts?.cpu.logicalCpus ?? Number.MAX_SAFE_INTEGER,
    memoryBytes: facts?.memory.totalBytes ?? Number.MAX_SAFE_INTEGER,
    state: "open",
  })),
  vms: [],
  rules: [],
});

const placeless = (vm: VmView): Pool["vms"][number] => ({
  ...{ name: vm.name, host: vm.host, vcpus: vm.config.vcpus },
  ...{ memoryBytes: memoryBytes(vm) + qemuOverheadBytes, load: null, activeBytes: null, move: null },
});
