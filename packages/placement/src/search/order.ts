/**
 * An order of moves in which each has room when it begins. A VM that moves counts at both hosts until its move has
 * ended; moves may run side by side: `after` names those that must have ended before one may begin, and then no host
 * ever carries more than it bears, whichever of the others are under way. A rule that holds before and after the plan
 * holds all the time, but for VMs that are kept together: they cannot go at the same moment, and go one behind the other.
 */
import { State } from "./state.ts";
import type { Problem } from "./problem.ts";
import type { GroupTerm } from "../terms/term.ts";

export interface OrderedMove {
  vm: number;
  from: number;
  to: number;
  /** Positions in the order. */
  after: number[];
}

export interface Order {
  moves: OrderedMove[];
  /** Moves for which no order has room; without them the others are still feasible. */
  dropped: number[];
}

export interface OrderOptions {
  /** VMs in the order that is wished for. */
  wished: readonly number[];
  end: Int32Array;
  /** Rules that may be broken while their VMs are on their way. */
  transient: ReadonlySet<GroupTerm>;
  /** VMs that go one behind the other. */
  together: readonly (readonly number[])[];
}

export function orderMoves(problem: Problem, { wished, end, transient, together }: OrderOptions): Order {
  const strict = problem.groupTerms.filter((term) => term.hard && !transient.has(term));
  const state = new State({ ...problem, hostTerms: [], poolTerms: [], groupTerms: strict });
  const companions = new Map<number, readonly number[]>();
  for (const group of together) for (const vm of group) companions.set(vm, group);
  const pending = new Set(wished);
  const moves: OrderedMove[] = [];
  const go = (vm: number): boolean => {
    const to = end[vm] as number;
    if (!state.shift(vm, to)) return false;
    const from = state.hostOf[vm] as number;
    moves.push({ vm, from, to, after: before(problem, state, moves, vm, to, strict) });
    state.apply(vm, to);
    pending.delete(vm);
    return true;
  };
  for (let progress = true; progress;) {
    progress = false;
    for (const vm of wished) {
      if (!pending.has(vm)) continue;
      const group = (companions.get(vm) ?? [vm]).filter((one) => pending.has(one));
      const done: number[] = [];
      for (const one of group) if (go(one)) done.push(one);
      if (done.length === group.length) {
        progress = true;
        continue;
      }
      // Some of them only would break the group.
      for (const one of done.reverse()) {
        const move = moves.pop() as OrderedMove;
        state.apply(one, move.from);
        pending.add(one);
      }
    }
  }
  return { moves, dropped: [...pending] };
}

/** Of the moves so far those that must have ended: the ones that make room there, and those of VMs under one rule with it. */
function before(
  { resources, demand, capacity }: Problem,
  state: State,
  moves: readonly OrderedMove[],
  vm: number,
  to: number,
  rules: readonly GroupTerm[],
): number[] {
  const after = new Set<number>();
  const mine = rules.filter((rule) => rule.concerns(vm));
  for (const [position, move] of moves.entries())
    if (mine.some((rule) => rule.concerns(move.vm)) || move.vm === vm) after.add(position);
  const departures = [...moves.keys()].filter((position) => moves[position]?.from === to);
  const lacks = () => {
    for (let resource = 0; resource < resources; resource += 1) {
      const cap = capacity[to * resources + resource] as number;
      let used =
        (state.usage[to * resources + resource] as number) + (demand[vm * resources + resource] as number);
      for (const position of departures)
        if (!after.has(position))
          used += demand[(moves[position] as OrderedMove).vm * resources + resource] as number;
      if (used > cap + cap * 1e-9 && (demand[vm * resources + resource] as number) > 0) return true;
    }
    return false;
  };
  for (const position of departures) {
    if (!lacks()) break;
    after.add(position);
  }
  return [...after].sort((a, b) => a - b);
}
