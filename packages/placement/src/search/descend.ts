/**
 * The steepest way down: of all shifts the best one, again and again, until none gains or no more moves are allowed.
 * Of each VM the best shift is kept, and looked for again only when one of its two hosts has changed; the others are
 * judged again when they come first.
 */
import type { State } from "./state.ts";

export interface DescentLimits {
  /** VMs that may be away from their origin. */
  maxMoves: number;
  /** What a step must gain at least. */
  minGain: number;
  /** Only these VMs; undefined: all. */
  vms?: readonly number[];
  /** Hosts that are asked for each VM; undefined: all. */
  targets?: readonly number[];
}

/** @returns the VMs in the order in which they went */
export function descend(state: State, { maxMoves, minGain, vms, targets }: DescentLimits): number[] {
  const { problem } = state;
  const candidates = vms ?? Array.from({ length: problem.vms }, (_, vm) => vm);
  const hosts = targets ?? Array.from({ length: problem.hosts }, (_, host) => host);
  const best = new Map<number, { to: number; delta: number }>();
  const look = (vm: number) => {
    const found = bestShift(state, vm, hosts, maxMoves);
    if (found === undefined) best.delete(vm);
    else best.set(vm, found);
  };
  for (const vm of candidates) look(vm);
  const order: number[] = [];
  /** The VM whose best shift gains most; what was kept of it is judged again until it holds. */
  const choose = (): number => {
    for (;;) {
      let gain = -minGain;
      let chosen = -1;
      for (const [vm, { delta }] of best)
        if (delta < gain) {
          gain = delta;
          chosen = vm;
        }
      if (chosen < 0) return -1;
      look(chosen);
      if (best.get(chosen)?.delta === gain) return chosen;
    }
  };
  for (;;) {
    const chosen = choose();
    const step = best.get(chosen);
    if (step === undefined) return order;
    const from = state.hostOf[chosen] as number;
    state.apply(chosen, step.to);
    order.push(chosen);
    const full = state.moved >= maxMoves;
    for (const vm of candidates) {
      const now = best.get(vm)?.to;
      const host = state.hostOf[vm] as number;
      if (full || host === from || host === step.to || now === from || now === step.to) look(vm);
      else refresh(state, vm, from, step.to, best, maxMoves);
    }
  }
}

/** The two hosts that have changed may be better than what was best. */
function refresh(
  state: State,
  vm: number,
  from: number,
  to: number,
  best: Map<number, { to: number; delta: number }>,
  maxMoves: number,
): void {
  const now = best.get(vm);
  let found = now;
  if (now !== undefined && state.shift(vm, now.to)) found = { to: now.to, delta: state.delta };
  const alternative = bestShift(state, vm, [from, to], maxMoves);
  if (alternative !== undefined && (found === undefined || alternative.delta < found.delta))
    found = alternative;
  if (found !== undefined) best.set(vm, found);
}

/** Violations first: beside their weight small costs would be lost. */
export function bestShift(
  state: State,
  vm: number,
  hosts: readonly number[],
  maxMoves = Infinity,
): { to: number; delta: number } | undefined {
  const { origin } = state.problem;
  const atHome = state.hostOf[vm] === origin[vm];
  if (atHome && state.moved >= maxMoves) return undefined;
  let best: { to: number; delta: number } | undefined;
  let violations = Infinity;
  let cost = Infinity;
  for (const to of hosts) {
    if (!state.shift(vm, to)) continue;
    const { deltaViolations, deltaCost } = state;
    if (deltaViolations > violations || (deltaViolations === violations && deltaCost >= cost)) continue;
    best = { to, delta: state.delta };
    violations = deltaViolations;
    cost = deltaCost;
  }
  return best;
}
