/** A pool as the numbers that the search works on: one resource, rule and term after the other. */
import { k95 } from "../load/forecast.ts";
import { FaultDomains } from "../rules/fault-domains.ts";
import type { Grouping } from "../rules/groups.ts";
import { KeepApart } from "../rules/keep-apart.ts";
import { KeepTogether } from "../rules/keep-together.ts";
import { LeaveHost } from "../rules/leave-host.ts";
import { VmHost } from "../rules/vm-host.ts";
import { leaveWeight, type Problem } from "../search/problem.ts";
import { Imbalance } from "../terms/imbalance.ts";
import { MemoryPressure } from "../terms/memory-pressure.ts";
import { MoveCost } from "../terms/move-cost.ts";
import type { GroupTerm, VmTerm } from "../terms/term.ts";
import { UnmetDemand } from "../terms/unmet-demand.ts";
import type { Goal, PlanOptions, Pool, PoolVm, Rule, Threshold } from "./pool.ts";

export const resource = {
  memory: 0,
  reservedCores: 1,
  count: 2,
  meanCores: 3,
  deviationCores: 4,
  varianceCores: 5,
  activeBytes: 6,
} as const;
const resources = 7;

/** VMs wait for CPUs from this use on, and a host reclaims memory from that one on. */
const waitingLevel = 0.8;
const reclaimLevel = 0.9;
/** Between the level and the capacity a core costs this part of itself. */
const waitingCost = 0.1;
/** How far loads of different VMs rise together. */
const correlation = 0.2;
/** Core-seconds that a GiB costs in each second in which it does not fit. */
const coresPerGib = 0.5;
/** A soft rule that is broken costs what a core costs that is not delivered. */
const softRuleCores = 1;
/** Each second of a guest's standstill costs what so many seconds of its CPUs cost. */
const outageFactor = 100;

/** How much more than it costs a move must gain. */
export const caution: Readonly<Record<Threshold, number>> = { 1: 16, 2: 8, 3: 4, 4: 2, 5: 1 };
/** Unevenness that is left alone: standard deviation of the hosts' use. */
const tolerance: Readonly<Record<Threshold, number>> = { 1: 1, 2: 0.12, 3: 0.08, 4: 0.05, 5: 0.02 };
/** Cost of a deviation of 1, of all cores. For happy VMs it only chooses among targets that are equally good. */
const evenness: Readonly<Record<Goal, number>> = { even: 0.25, happy: 1e-7 };

export interface Compiled {
  problem: Problem;
  hostIndex: ReadonlyMap<string, number>;
  vmIndex: ReadonlyMap<string, number>;
  /** Of each VM: what its move costs by itself, and its risk. With the caution they are in the problem. */
  moveCosts: Float64Array;
  risks: Float64Array;
  together: readonly (readonly number[])[];
  transient: ReadonlySet<GroupTerm>;
  unmet: UnmetDemand;
  /** Rule and its term; groups of a rule keep their names. */
  ruleTerms: readonly { rule: Rule; term: GroupTerm | VmTerm }[];
}

export function compile(pool: Pool, options: PlanOptions): Compiled {
  const { hosts, vms } = pool;
  const hostIndex = new Map(hosts.map(({ name }, index) => [name, index]));
  const vmIndex = new Map(vms.map(({ name }, index) => [name, index]));
  const nowhere = hosts.length;
  const origin = Int32Array.from(vms, ({ host }) =>
    host === null ? nowhere : (hostIndex.get(host) ?? nowhere),
  );
  const demand = new Float64Array(vms.length * resources);
  for (const [index, vm] of vms.entries()) demand.set(demandOf(vm), index * resources);
  const capacity = new Float64Array(hosts.length * resources).fill(Infinity);
  for (const [index, host] of hosts.entries()) {
    const at = index * resources;
    capacity[at + resource.memory] = host.memoryBytes;
    capacity[at + resource.reservedCores] = host.cores;
    capacity[at + resource.count] = host.maxVms ?? Infinity;
  }
  const closed = Uint8Array.from([...hosts.map(({ state }) => Number(state === "leaving")), 1]);
  const open = Uint8Array.from(hosts, ({ state }) => Number(state === "open"));
  const moveCosts = Float64Array.from(vms, moveCostOf);
  const risks = Float64Array.from(vms, (vm) => riskOf(vm, options));
  const factor = caution[options.threshold];
  const priced = moveCosts.map((cost, vm) => factor * (cost + (risks[vm] as number)));
  const excluded = new Map(
    vms.flatMap((vm, index) =>
      vm.excluded === undefined
        ? []
        : [[index, new Set([...vm.excluded.keys()].flatMap((name) => hostIndex.get(name) ?? []))] as const],
    ),
  );
  const cores = Float64Array.from(hosts, (host) => host.cores);
  const unmet = new UnmetDemand({
    ...{ mean: resource.meanCores, deviation: resource.deviationCores, variance: resource.varianceCores },
    ...{ cores, k: k95, correlation, waitingLevel, waitingCost, horizonSeconds: options.horizonSeconds },
  });
  const pressure = new MemoryPressure(
    resource.activeBytes,
    Float64Array.from(hosts, ({ memoryBytes }) => memoryBytes * reclaimLevel),
    (coresPerGib * options.horizonSeconds) / 2 ** 30,
  );
  const rules = compileRules(pool, options, hostIndex, vmIndex);
  const groupTerms = rules.flatMap(({ term }) => ("concerns" in term ? [term] : []));
  const problem: Problem = {
    ...{ hosts: hosts.length, vms: vms.length, resources, origin, demand, capacity, open },
    held: new Uint8Array(resources),
    movable: Uint8Array.from(vms, ({ bound }) => Number(bound === undefined)),
    hostTerms: [unmet, pressure],
    poolTerms: [imbalance(pool, options, demand, cores)],
    vmTerms: [
      new LeaveHost(closed, leaveWeight),
      new VmHost(excluded, { hard: true, weight: 1 }),
      ...rules.flatMap(({ term }) => ("concerns" in term ? [] : [term])),
      new MoveCost("move", origin, priced, nowhere),
    ],
    groupTerms,
  };
  const together = pool.rules.flatMap((rule) =>
    rule.kind === "keepTogether" ? [indexes(rule.vms, vmIndex)] : [],
  );
  const transient = new Set(groupTerms.filter((term) => term instanceof KeepTogether));
  return { problem, hostIndex, vmIndex, moveCosts, risks, together, transient, unmet, ruleTerms: rules };
}

function demandOf(vm: PoolVm): number[] {
  const { mean, deviation } = vm.load ?? { mean: vm.vcpus / 2, deviation: 0 };
  const limit = Math.min(vm.limitCores ?? Infinity, vm.vcpus);
  // A VM does not get more than its limit, however much it wants.
  const bounded = Math.min(mean, limit);
  const spread = Math.min(deviation, Math.max(0, limit - bounded) / k95);
  return [
    ...[vm.memoryBytes, vm.reservedCores ?? 0, 1, bounded, spread, spread * spread],
    vm.activeBytes ?? vm.memoryBytes,
  ];
}

/** Core-seconds: the guest's slowdown, its standstill, and what the move itself takes of a core at both ends. */
function moveCostOf({ move, load, vcpus }: PoolVm): number {
  if (move === null) return 0;
  const cores = load?.mean ?? vcpus / 2;
  return move.seconds * (move.slowdown * cores + 1) + outageFactor * move.outageSeconds * cores;
}

/** A load that varies may have changed before the move pays: a part of its deviation, and a floor for every VM that runs. */
function riskOf({ move, load, vcpus }: PoolVm, { horizonSeconds }: PlanOptions): number {
  if (move === null) return 0;
  return horizonSeconds * (0.01 * (load?.deviation ?? vcpus / 4) + 0.005);
}

function imbalance(pool: Pool, options: PlanOptions, demand: Float64Array, cores: Float64Array): Imbalance {
  const total = new Float64Array(resources);
  for (const [index, amount] of demand.entries())
    total[index % resources] = (total[index % resources] as number) + amount;
  const capacity = new Float64Array(pool.hosts.length * resources).fill(1);
  for (const [index, { memoryBytes }] of pool.hosts.entries()) {
    capacity[index * resources + resource.meanCores] = Math.max(cores[index] as number, 1e-9);
    capacity[index * resources + resource.memory] = Math.max(memoryBytes, 1);
  }
  const weights = new Float64Array(resources);
  const all = cores.reduce((sum, one) => sum + one, 0);
  weights[resource.meanCores] = weights[resource.memory] =
    evenness[options.goal] * all * options.horizonSeconds;
  const hosts = pool.hosts.flatMap(({ state }, index) => (state === "open" ? [index] : []));
  return new Imbalance({
    ...{ resources, hosts: hosts.length > 0 ? hosts : [], capacity, weights, total },
    tolerance: options.goal === "even" ? tolerance[options.threshold] : 0,
  });
}

function compileRules(
  { hosts, vms, rules }: Pool,
  { horizonSeconds }: PlanOptions,
  hostIndex: ReadonlyMap<string, number>,
  vmIndex: ReadonlyMap<string, number>,
): { rule: Rule; term: GroupTerm | VmTerm }[] {
  const own = Int32Array.from(hosts, (_, index) => index);
  const named = [...new Set(hosts.map((host) => host.faultDomain ?? `host ${host.name}`))];
  const racks = Int32Array.from(hosts, (host) => named.indexOf(host.faultDomain ?? `host ${host.name}`));
  return rules.map((rule) => {
    const { hard } = rule;
    const weight = softRuleCores * horizonSeconds;
    const members = indexes(rule.vms, vmIndex);
    const grouping = (domainOf: Int32Array): Grouping => ({ groups: [members], domainOf, vms: vms.length });
    switch (rule.kind) {
      case "keepTogether":
        return { rule, term: new KeepTogether(grouping(own), { hard, weight }) };
      case "keepApart":
        return { rule, term: new KeepApart(grouping(rule.of === "host" ? own : racks), { hard, weight }) };
      case "spread":
        return {
          rule,
          term: new FaultDomains(grouping(racks), Int32Array.of(rule.faultDomains), { hard, weight }),
        };
      case "vmHost": {
        const listed = new Set(indexes(rule.hosts, hostIndex));
        const off = new Set(own.filter((host) => listed.has(host) === (rule.where === "off")));
        return { rule, term: new VmHost(new Map(members.map((vm) => [vm, off])), { hard, weight }) };
      }
    }
  });
}

const indexes = (names: readonly string[], index: ReadonlyMap<string, number>): number[] =>
  names.flatMap((name) => index.get(name) ?? []);
