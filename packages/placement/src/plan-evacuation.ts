/**
 * Which VMs of a host that is to be emptied move next, from what is known of hosts, VMs and moves under way. Every
 * destination is judged with the memory that is left there after what is promised to others.
 */
import { finding, GodwitError, hugepagesOf, type Finding, type VmView } from "@godwit/contract";
import { judgeMove, mayMove, qemuOverheadBytes, type Destination, type Source } from "@godwit/requirements";
import { memoryBytes, nextMoves, type Evacuation, type Mover, type NextMoves } from "./evacuation.ts";
import { planPool } from "./plan/plan-pool.ts";
import { bystanders, reportedHost } from "./plan/pool-from-reports.ts";
import { brokenRules } from "./rules/broken-rules.ts";
import { ruleFinding, type PoolRule } from "./rules/pool-rule.ts";
import { withRules } from "./plan/with-rules.ts";
import { defaultOptions, type PoolHost, type PoolVm } from "./plan/pool.ts";

export interface EvacuationFacts {
  /** The host that is to be emptied. */
  host: string;
  source: Source;
  movers: readonly Mover[];
  /** All other hosts. */
  destinations: readonly Destination[];
  /** VMs on their way by live moves, and where to. */
  arriving: readonly { host: string; vm: Pick<VmView, "config"> }[];
  limits: Evacuation["limits"];
  rules: readonly PoolRule[];
  /** Where each VM runs, by its id; those on their way count where they go. */
  hostOf: ReadonlyMap<string, string>;
}

export function planEvacuation(facts: EvacuationFacts): NextMoves {
  const { host, source, movers, destinations, arriving, limits } = facts;
  const byName = new Map(destinations.map((destination) => [destination.name, destination]));
  // VMs that are to leave are nowhere until they have gone: those that must be together would keep each other here.
  const hostOf = new Map([...facts.hostOf].filter(([, at]) => at !== host));
  const coresOf = new Map(
    destinations.flatMap(({ name, report }) =>
      report === null ? [] : [[name, report.facts.cpu.logicalCpus]],
    ),
  );
  const { rules } = facts;
  const given: { to: string; vm: VmView }[] = [];
  return nextMoves({
    host,
    movers,
    targets: destinations.map(({ name, report }) => {
      const coming = arriving.filter((one) => one.host === name);
      return {
        name,
        availableBytes: report?.load.memory?.availableBytes ?? 0,
        promisedBytes: coming.reduce((sum, { vm }) => sum + memoryBytes(vm), 0),
        moves: coming.length,
      };
    }),
    limits,
    planned: planned(facts),
    judge: ({ vm, live }, { name }, availableBytes) => {
      const destination = byName.get(name);
      if (destination === undefined) return [];
      return [
        ...findingsOf(vm, source, withoutPages(withMemory(destination, availableBytes), given)),
        ...brokenRules({ hostOf, rules, coresOf }, vm.id, name)
          .filter(({ terms }) => live || terms.kind === "on" || terms.kind === "off")
          .map((rule) => ruleFinding(rule, vm.name, name)),
      ];
    },
    onlyPlanned: new Set(
      rules.flatMap(({ terms, vms }) =>
        terms.kind === "together" &&
        terms.must &&
        movers.some((one) => vms.some(({ id }) => id === one.vm.id))
          ? vms.map(({ id }) => id)
          : [],
      ),
    ),
    began: ({ vm, live }, to) => {
      if (!live) return;
      hostOf.set(vm.id, to);
      given.push({ to, vm });
    },
  });
}

/** Where each VM that runs would go if all of them went now: targets that suit all, not the first of them. */
function planned({
  host,
  source,
  movers,
  destinations,
  arriving,
  rules,
}: EvacuationFacts): Map<string, string> {
  const live = movers.filter((mover) => mover.live);
  const hosts = destinations.map(({ name, report, takesVms }): PoolHost => {
    const promised = arriving.reduce((sum, one) => sum + (one.host === name ? memoryBytes(one.vm) : 0), 0);
    const reported = reportedHost(name, report);
    const memory = Math.max(1, reported.memoryBytes - promised);
    return { ...reported, memoryBytes: memory, state: takesVms && report !== null ? "open" : "closed" };
  });
  const pool = withRules(
    {
      hosts: [{ ...reportedHost(host, null), state: "leaving" }, ...hosts],
      vms: [
        ...destinations.flatMap(({ name, report }) => (report === null ? [] : bystanders(name, report))),
        ...live.map((mover) => leavingVm(mover, host, source, destinations)),
      ],
      rules: [],
    },
    rules,
    ({ id }) => [id, ...destinations.map(({ name }) => `${name} ${id}`)],
  );
  const { moves } = planPool(pool, { ...defaultOptions, threshold: 1, admission: false });
  return new Map(moves.map(({ vm, to }) => [vm, to]));
}

function leavingVm(
  { vm, failedAt }: Mover,
  host: string,
  source: Source,
  destinations: readonly Destination[],
): PoolVm {
  const { usedCpus = null, residentBytes = null } = source.load?.vms.find(({ id }) => id === vm.id) ?? {};
  const excluded = destinations.flatMap((destination): [string, string][] => {
    const { name } = destination;
    if (failedAt.includes(name)) return [[name, "it was tried"]];
    const findings = findingsOf(vm, source, withMemory(destination, Number.MAX_SAFE_INTEGER));
    return mayMove(findings) ? [] : [[name, "it would be refused"]];
  });
  return {
    ...{ name: vm.id, host, vcpus: vm.config.vcpus, memoryBytes: memoryBytes(vm) + qemuOverheadBytes },
    load: usedCpus === null ? null : { mean: usedCpus, deviation: 0 },
    ...{ activeBytes: residentBytes, move: null, excluded: new Map(excluded) },
  };
}

function findingsOf(vm: VmView, source: Source, destination: Destination): Finding[] {
  try {
    return judgeMove(vm, source, destination).findings;
  } catch (error) {
    if (!GodwitError.is(error, "VM_NOT_RUNNING")) throw error;
    return [finding("VM_NOT_RUNNING", { vm: vm.name, state: "gone from its host" })];
  }
}

/** What could not be read stays unknown. */
function withMemory(destination: Destination, bytes: number): Destination {
  const { report } = destination;
  if (report?.load.memory == null) return destination;
  const memory = { ...report.load.memory, availableBytes: Math.max(0, bytes) };
  return { ...destination, report: { ...report, load: { ...report.load, memory } } };
}

/** Its huge pages without those of VMs that are to go there and that it does not know of yet. */
function withoutPages(destination: Destination, given: readonly { to: string; vm: VmView }[]): Destination {
  const { name, report } = destination;
  const memory = report?.load.memory;
  if (report === null || memory?.hugepages === undefined) return destination;
  const hugepages = memory.hugepages.map(({ size, freePages }) => {
    const taken = given.reduce((sum, { to, vm }) => {
      const needed = hugepagesOf(vm.config);
      return to === name && needed?.size === size ? sum + needed.pages : sum;
    }, 0);
    return { size, freePages: Math.max(0, freePages - taken) };
  });
  return {
    ...destination,
    report: { ...report, load: { ...report.load, memory: { ...memory, hugepages } } },
  };
}
