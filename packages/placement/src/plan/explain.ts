/**
 * Why a VM moves, or stays: of every host what a move there would gain, cost and risk when all the rest of the plan is
 * done, and what stands against it. Follows from the pool, the options and the plan alone, so that it can be asked of a
 * round that is long past.
 */
import { State } from "../search/state.ts";
import { caution, compile, resource, type Compiled } from "./compile.ts";
import type { Plan } from "./plan-pool.ts";
import type { PlanOptions, Pool, PoolVm } from "./pool.ts";

export interface Candidate {
  host: string;
  /** Core-seconds within the horizon, before its cost. */
  gain: number;
  /** Gain less cost and risk, these times the caution of the threshold. */
  net: number;
  /** What keeps the VM from going there; none: it could. */
  against: string[];
}

export interface Explanation {
  vm: string;
  from: string | null;
  /** Null: it stays. */
  to: string | null;
  sentence: string;
  cost: number;
  risk: number;
  caution: number;
  /** Best first; those that cannot be come last. */
  candidates: Candidate[];
}

/** @returns null when the pool has no such VM */
export function explainVm(pool: Pool, options: PlanOptions, plan: Plan, name: string): Explanation | null {
  const compiled = compile(pool, options);
  const { problem, vmIndex, hostIndex, moveCosts, risks } = compiled;
  const index = vmIndex.get(name);
  const vm = pool.vms[index ?? -1];
  if (index === undefined || vm === undefined) return null;
  const end = Int32Array.from(problem.origin);
  for (const move of plan.moves)
    if (move.vm !== name) end[vmIndex.get(move.vm) ?? -1] = hostIndex.get(move.to) ?? problem.hosts;
  const state = new State(problem, end);
  const price = caution[options.threshold] * ((moveCosts[index] as number) + (risks[index] as number));
  const candidates = pool.hosts
    .flatMap((host, to) =>
      host.name === vm.host ? [] : [candidate(pool, compiled, state, index, to, price)],
    )
    .sort((a, b) => a.against.length - b.against.length || b.net - a.net || a.host.localeCompare(b.host));
  const move = plan.moves.find((one) => one.vm === name);
  return {
    ...{ vm: name, from: vm.host, to: move?.to ?? null, candidates },
    sentence: sentence(vm, move, candidates, options, plan),
    ...{
      cost: moveCosts[index] as number,
      risk: risks[index] as number,
      caution: caution[options.threshold],
    },
  };
}

function candidate(
  pool: Pool,
  compiled: Compiled,
  state: State,
  vm: number,
  to: number,
  price: number,
): Candidate {
  const host = pool.hosts[to]?.name ?? "";
  const against = reasons(pool, compiled, state, vm, to);
  const { cost } = state;
  const from = state.hostOf[vm] as number;
  state.apply(vm, to);
  const net = cost - state.cost;
  state.apply(vm, from);
  return { host, gain: net + (from === state.problem.hosts ? 0 : price), net, against };
}

function reasons(
  pool: Pool,
  { problem, ruleTerms }: Compiled,
  state: State,
  vm: number,
  to: number,
): string[] {
  const { demand, capacity, resources } = problem;
  const host = pool.hosts[to];
  const from = state.hostOf[vm] as number;
  const lacks = (index: number) =>
    (state.usage[to * resources + index] as number) + (demand[vm * resources + index] as number) >
    (capacity[to * resources + index] as number) * (1 + 1e-9);
  const excluded = pool.vms[vm]?.excluded?.get(host?.name ?? "");
  return [
    ...(host?.state === "closed" ? ["it takes no VMs"] : []),
    ...(host?.state === "leaving" ? ["it is to be emptied"] : []),
    ...(excluded === undefined ? [] : [excluded]),
    ...(lacks(resource.memory) ? ["it has not enough memory"] : []),
    ...(lacks(resource.reservedCores) ? ["its cores are reserved for others"] : []),
    ...(lacks(resource.count) ? ["it has as many VMs as it may have"] : []),
    ...ruleTerms.flatMap(({ rule, term }) => {
      if (!term.hard) return [];
      const added = "concerns" in term ? term.delta(vm, from, to) : term.cost(vm, to) - term.cost(vm, from);
      return added > 0 ? [`rule ${rule.name}`] : [];
    }),
  ];
}

function sentence(
  vm: PoolVm,
  move: Plan["moves"][number] | undefined,
  candidates: readonly Candidate[],
  { settleSeconds, threshold }: PlanOptions,
  { stuck }: Plan,
): string {
  const { name, bound, movedBefore, unmeasured } = vm;
  if (move?.from === null) return `${name} is placed on ${move.to}.`;
  if (move?.reason === "must") return `${name} moves to ${move.to}: where it is it must not stay.`;
  if (move !== undefined)
    return `${name} moves to ${move.to}: it saves ${seconds(move.gain)} and costs ${seconds(move.cost + move.risk)}.`;
  const [best] = candidates;
  if (bound !== undefined) return `${name} stays: ${bound}.`;
  if (stuck.includes(name)) return `${name} must leave, and no host can take it.`;
  if (best === undefined) return `${name} stays: the pool has no other host.`;
  if (best.against.length > 0) return `${name} stays: no other host can take it.`;
  if (movedBefore !== undefined && movedBefore < settleSeconds)
    return `${name} stays: it moved ${String(Math.round(movedBefore / 60))} minutes ago.`;
  if (threshold === 1) return `${name} stays: at threshold 1 only rules and maintenance move VMs.`;
  if (unmeasured !== undefined) return `${name} stays: ${unmeasured}.`;
  if (best.gain <= 1e-6) return `${name} stays: nobody would gain by a move.`;
  return `${name} stays: a move to ${best.host} would save ${seconds(best.gain)}, less than its cost and risk.`;
}

const seconds = (amount: number): string => `${amount.toFixed(amount < 10 ? 1 : 0)} core-seconds`;
