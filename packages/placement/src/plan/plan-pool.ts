/**
 * The plan of a pool: which VMs move, where to, in which order, and what it is good for. First what must be (a host
 * that is to be emptied, VMs without a host, rules that are broken), then what gains more than it costs: a descent, then
 * annealing, then every move that does not pay for itself is taken back. No move leads to more than a host bears, now or
 * on the way. The same pool, options and seed give the same plan.
 */
import { anneal } from "../search/anneal.ts";
import { admitFailures } from "../search/admission.ts";
import { Chain } from "../search/deltas/chain.ts";
import { Exchange } from "../search/deltas/exchange.ts";
import { Group } from "../search/deltas/group.ts";
import { Shift } from "../search/deltas/shift.ts";
import { Swap } from "../search/deltas/swap.ts";
import { bestShift, descend } from "../search/descend.ts";
import { orderMoves, type Order } from "../search/order.ts";
import { leastViolation } from "../search/problem.ts";
import { Random } from "../search/random.ts";
import { State } from "../search/state.ts";
import { compile, type Compiled } from "./compile.ts";
import type { PlanOptions, Pool } from "./pool.ts";

export interface PlannedMove {
  vm: string;
  /** Null: it is placed. */
  from: string | null;
  to: string;
  /** `must`: a rule, maintenance, or a VM without a host. `load`: it gains more than it costs. */
  reason: "must" | "load";
  /** Core-seconds within the horizon that it saves, as the last of the plan, and what it costs and risks. */
  gain: number;
  cost: number;
  risk: number;
  /** Positions of the moves that must have ended before it may begin. */
  after: number[];
}

export interface Standing {
  cost: number;
  /** Of hard rules. */
  violations: number;
  /** VMs on hosts that are to be emptied, and without a host. */
  mustLeave: number;
  /** Highest predicted use of a host's cores, and highest use of a host's memory. */
  highestCpu: number;
  highestMemory: number;
  /** Whether the loss of any one host leaves room for its VMs; and if not, of which. */
  survivesFailure: boolean;
  failingHost: string | null;
}

export interface Plan {
  moves: PlannedMove[];
  before: Standing;
  after: Standing;
  /** VMs that must go somewhere and have no place as things are. */
  stuck: string[];
}

export function planPool(pool: Pool, options: PlanOptions): Plan {
  const compiled = compile(pool, options);
  const { problem } = compiled;
  const before = standing(pool, compiled, problem.origin);
  const mustGo = settle(pool, compiled, options);
  const state = new State(problem);
  repair(state, compiled, options);
  const repaired = Int32Array.from(state.hostOf);
  improve(state, compiled, options);
  takeBack(state, mustGo, caution0);
  const improved = Int32Array.from(state.hostOf);
  const admitted =
    options.admission && before.survivesFailure ? keepAdmission(compiled, repaired, improved) : improved;
  // Moves without room are left out, and may have been what others were for: then those that still pay, then the musts.
  let chosen = ordered(compiled, mustGo, admitted);
  let after = standing(pool, compiled, chosen.final);
  for (const next of [() => paying(compiled, mustGo, chosen.final), () => repaired, () => problem.origin]) {
    if (isNoWorse(before, after)) break;
    chosen = ordered(compiled, mustGo, next());
    after = standing(pool, compiled, chosen.final);
  }
  const { order, gains, final } = chosen;
  const name = (host: number) => pool.hosts[host]?.name ?? null;
  const last = new State(problem, final);
  const stuck = pool.vms.flatMap(({ name: vm }, index) => {
    const host = last.hostOf[index] as number;
    return host === problem.hosts || pool.hosts[host]?.state === "leaving" ? [vm] : [];
  });
  return {
    moves: order.moves.map(({ vm, from, to, after }) => ({
      vm: pool.vms[vm]?.name ?? "",
      from: name(from),
      to: name(to) ?? "",
      reason: mustGo.has(vm) ? "must" : "load",
      gain: gains[vm] as number,
      cost: compiled.moveCosts[vm] as number,
      risk: compiled.risks[vm] as number,
      after,
    })),
    before,
    after,
    stuck,
  };
}

interface Ordered {
  order: Order;
  gains: Float64Array;
  /** Where the VMs are when all of its moves have ended. */
  final: Int32Array;
}

/** What must be comes first, then what gains most. */
function ordered(compiled: Compiled, mustGo: ReadonlySet<number>, end: Int32Array): Ordered {
  const { problem, transient, together } = compiled;
  const gains = gainsOf(compiled, end);
  const wished = movedVms(problem.origin, end).sort(
    (a, b) =>
      Number(mustGo.has(b)) - Number(mustGo.has(a)) || (gains[b] as number) - (gains[a] as number) || a - b,
  );
  const order = orderMoves(problem, { wished, end, transient, together });
  const final = Int32Array.from(problem.origin);
  for (const { vm, to } of order.moves) final[vm] = to;
  return { order, gains, final };
}

function paying({ problem }: Compiled, mustGo: ReadonlySet<number>, end: Int32Array): Int32Array {
  const state = new State(problem, end);
  takeBack(state, mustGo, caution0);
  return state.hostOf;
}

/** Rules and maintenance first; costs only count where these are as before. */
function isNoWorse(before: Standing, after: Standing): boolean {
  if (after.violations !== before.violations) return after.violations < before.violations;
  if (after.mustLeave !== before.mustLeave) return after.mustLeave < before.mustLeave;
  return after.cost <= before.cost + 1e-9 * Math.abs(before.cost);
}

/** A move that costs more than this is not worth it; its price is in the cost already. */
const caution0 = 1e-6;
/** Steps of the annealing, for each VM that may move, and in all. */
const stepsPerVm = 150;
const mostSteps = 400_000;
/** Above so many VMs times hosts a descent asks a part of the hosts only. */
const fullScan = 200_000;

/** VMs whose move is not a matter of gain. Unless they are among them, those that moved lately stay, and those whose load is not known, at threshold 1 all. */
function settle(
  pool: Pool,
  { problem, ruleTerms }: Compiled,
  { settleSeconds, threshold }: PlanOptions,
): Set<number> {
  const state = new State(problem);
  const must = new Set<number>();
  const hardVm = problem.vmTerms.filter(({ hard }) => hard);
  const brokenRules = ruleTerms.flatMap(({ rule, term }) =>
    "concerns" in term && term.hard && term.total() > 0 ? [rule] : [],
  );
  const broken = new Set(brokenRules.flatMap(({ vms }) => vms));
  for (const [vm, { name, movedBefore, unmeasured }] of pool.vms.entries()) {
    const host = state.hostOf[vm] as number;
    if (broken.has(name) || hardVm.some((term) => term.cost(vm, host) > 0)) must.add(vm);
    else if (
      threshold === 1 ||
      unmeasured !== undefined ||
      (movedBefore !== undefined && movedBefore < settleSeconds)
    )
      problem.movable[vm] = 0;
  }
  return must;
}

/** What must be, largest first: one that finds no room later would have found it now. */
function repair(state: State, { together }: Compiled, { maxMoves }: PlanOptions): void {
  const { problem } = state;
  const hosts = Array.from({ length: problem.hosts }, (_, host) => host);
  const group = new Group([]);
  const size = (vm: number) => problem.demand[vm * problem.resources] as number;
  for (let round = 0; round < 3 && state.violations > 0; round += 1) {
    const start = state.violations;
    for (const members of together) {
      const options = hosts
        .map((to) => {
          const delta = group.tryAt(state, members, to);
          if (!Number.isNaN(delta)) group.revert(state);
          return { to, delta };
        })
        .filter(({ delta }) => delta < -leastViolation)
        .sort((a, b) => a.delta - b.delta);
      const [best] = options;
      if (best !== undefined) group.tryAt(state, members, best.to);
    }
    const vms = Array.from({ length: problem.vms }, (_, vm) => vm).sort((a, b) => size(b) - size(a) || a - b);
    for (const vm of vms) {
      if (state.violations === 0) return;
      const best = bestShift(state, vm, hosts, maxMoves);
      if (best !== undefined && best.delta < -leastViolation) state.apply(vm, best.to);
    }
    if (state.violations === start) return;
  }
}

function improve(state: State, { together }: Compiled, { seed, maxMoves }: PlanOptions): void {
  const { problem } = state;
  const random = new Random(seed);
  if (problem.vms * problem.hosts <= fullScan) descend(state, { maxMoves, minGain: caution0 });
  const movable = problem.movable.reduce((sum, one) => sum + one, 0);
  if (movable === 0) return;
  const steps = Math.min(mostSteps, movable * stepsPerVm);
  const deltas = [
    { delta: new Shift(), share: 60 },
    { delta: new Swap(), share: 25 },
    { delta: new Chain(), share: 5 },
    { delta: new Exchange(), share: 5 },
    ...(together.length > 0 ? [{ delta: new Group(together), share: 5 }] : []),
  ];
  anneal(state, { deltas, random, steps, temperature: temperatureOf(state), maxMoves });
  descend(state, { maxMoves, minGain: caution0, ...narrow(state) });
}

/** Some of what a VM costs on the average: enough to leave a corner, not to lose the way. */
const temperatureOf = ({ cost, problem }: State): number =>
  (0.05 * Math.max(0, cost)) / Math.max(1, problem.vms);

/** In a large pool: VMs of the dearest hosts, and the hosts with the least. */
function narrow(state: State): { vms?: number[]; targets?: number[] } {
  const { vms, hosts } = state.problem;
  if (vms * hosts <= fullScan) return {};
  const byCost = Array.from({ length: hosts }, (_, host) => host).sort(
    (a, b) => (state.hostCosts[b] as number) - (state.hostCosts[a] as number) || a - b,
  );
  return {
    vms: byCost.slice(0, 8).flatMap((host) => [...state.membersOf(host)]),
    targets: byCost.slice(-16),
  };
}

/** Moves that do not pay for themselves, now that the others are made. */
function takeBack(state: State, mustGo: ReadonlySet<number>, minGain: number): void {
  const { origin, hosts } = state.problem;
  for (let changed = true; changed;) {
    changed = false;
    for (const vm of movedVms(origin, state.hostOf)) {
      const home = origin[vm] as number;
      if (home === hosts || (mustGo.has(vm) && state.violations === 0 && !isFree(state, vm, home))) continue;
      if (!state.shift(vm, home) || state.delta > minGain) continue;
      state.apply(vm, home);
      changed = true;
    }
  }
}

const isFree = (state: State, vm: number, home: number): boolean =>
  state.shift(vm, home) && state.deltaViolations === 0;

/** The pool survived the loss of any host before: moves that are not a must go, last gains first, until it does again. */
function keepAdmission(
  { problem }: Compiled,
  repaired: Int32Array<ArrayBuffer>,
  end: Int32Array<ArrayBuffer>,
): Int32Array<ArrayBuffer> {
  if (admitFailures(problem, end).survives) return end;
  const optional = movedVms(repaired, end);
  const now = Int32Array.from(end);
  const size = (vm: number) => problem.demand[vm * problem.resources] as number;
  optional.sort((a, b) => size(b) - size(a) || a - b);
  for (let count = 1; optional.length > 0; count *= 2) {
    for (const vm of optional.splice(0, count)) {
      const state = new State(problem, now);
      if (state.shift(vm, repaired[vm] as number) && state.deltaViolations <= 0)
        now[vm] = repaired[vm] as number;
    }
    if (admitFailures(problem, now).survives) return now;
  }
  return repaired;
}

/** What each VM's being away from home saves, its own price not counted. */
function gainsOf({ problem, moveCosts, risks }: Compiled, end: Int32Array): Float64Array {
  const state = new State(problem, end);
  const gains = new Float64Array(problem.vms);
  const priced = problem.vmTerms[problem.vmTerms.length - 1];
  for (const vm of movedVms(problem.origin, end)) {
    const home = problem.origin[vm] as number;
    if (home === problem.hosts) continue;
    const price = priced?.cost(vm, end[vm] as number) ?? (moveCosts[vm] as number) + (risks[vm] as number);
    gains[vm] = Math.max(0, valueOfStaying(state, vm, home)) + price;
  }
  return gains;
}

function valueOfStaying(state: State, vm: number, home: number): number {
  const from = state.hostOf[vm] as number;
  const added = { violations: state.violations, cost: state.cost };
  state.apply(vm, home);
  const cost = state.cost - added.cost;
  state.apply(vm, from);
  return cost;
}

const movedVms = (origin: Int32Array, end: Int32Array): number[] =>
  Array.from(end.keys()).filter((vm) => origin[vm] !== end[vm]);

function standing(pool: Pool, { problem, unmet }: Compiled, hostOf: Int32Array): Standing {
  const state = new State(problem, hostOf);
  const { cost } = state;
  const violations = Math.floor(state.violations);
  const mustLeave = state.hostOf.filter(
    (host) => (pool.hosts[host]?.state ?? "leaving") === "leaving",
  ).length;
  let highestCpu = 0;
  let highestMemory = 0;
  for (const [host, { cores, memoryBytes }] of pool.hosts.entries()) {
    const at = host * problem.resources;
    highestCpu = Math.max(highestCpu, unmet.predicted(state.usage, at) / cores);
    highestMemory = Math.max(highestMemory, (state.usage[at] as number) / memoryBytes);
  }
  const verdict = admitFailures(problem, hostOf);
  const failingHost = verdict.survives ? null : (pool.hosts[verdict.host]?.name ?? null);
  return {
    cost,
    violations,
    mustLeave,
    highestCpu,
    highestMemory,
    survivesFailure: verdict.survives,
    failingHost,
  };
}
