/**
 * Simulated annealing: changes of several kinds, chosen by chance; one that costs is taken with a probability that
 * falls with its cost and with the temperature, and the temperature falls to nothing. The best placement that was seen
 * is the result. A change that would add a violation is never taken.
 */
import type { Delta } from "./deltas/delta.ts";
import { leastViolation } from "./problem.ts";
import type { Random } from "./random.ts";
import type { State } from "./state.ts";

export interface Annealing {
  /** Kinds of change, and how often each is tried. */
  deltas: readonly { delta: Delta; share: number }[];
  random: Random;
  steps: number;
  /** Cost that is taken at first with a probability of 1/e. */
  temperature: number;
  maxMoves: number;
  /** Asked now and then how far the time allowed has gone, 0 to 1 and above: then it ends before its steps. */
  elapsed?: () => number;
}

const asked = 2048;

export function anneal(state: State, options: Annealing): void {
  const { random, steps, temperature, maxMoves, elapsed } = options;
  const best = Int32Array.from(state.hostOf);
  let { violations: bestViolations, cost: bestCost } = state;
  let changed: number[] = [];
  const shares = cumulated(options.deltas);
  let now = temperature;
  for (let step = 0; step < steps; step += 1) {
    if (step % asked === 0) {
      const part = elapsed === undefined ? step / steps : elapsed();
      if (part >= 1) break;
      now = temperature * (1 - part) ** 3;
    }
    const { delta } = kindOf(shares, random.next());
    const change = delta.propose(state, random);
    if (Number.isNaN(change)) continue;
    const accepted = change <= 0 || (change < leastViolation && change < -now * Math.log(random.next()));
    // A change of several steps is made already.
    if (!accepted || state.moved > maxMoves) {
      delta.revert(state);
      continue;
    }
    if (!commit(delta, state, maxMoves)) continue;
    changed.push(...delta.vms);
    // A long search that finds nothing better names the same VMs again and again.
    if (changed.length > mostChanged(state)) changed = [...new Set(changed)];
    const isBetter =
      state.violations < bestViolations ||
      (state.violations === bestViolations && state.cost < bestCost - Math.abs(bestCost) * 1e-12);
    if (!isBetter) continue;
    bestViolations = state.violations;
    bestCost = state.cost;
    for (const vm of changed) best[vm] = state.hostOf[vm] as number;
    changed = [];
  }
  for (const vm of changed) if (state.hostOf[vm] !== best[vm]) state.apply(vm, best[vm] as number);
}

const mostChanged = ({ problem }: State): number => 4096 + 2 * problem.vms;

/** @returns false when it would be more moves than allowed, and is not made */
function commit(delta: Delta, state: State, maxMoves: number): boolean {
  if (maxMoves >= state.problem.vms) {
    delta.commit(state);
    return true;
  }
  const hosts = delta.vms.map((vm) => state.hostOf[vm] as number);
  delta.commit(state);
  if (state.moved <= maxMoves) return true;
  for (const [index, vm] of delta.vms.entries()) state.apply(vm, hosts[index] as number);
  return false;
}

function cumulated(deltas: Annealing["deltas"]): { delta: Delta; upTo: number }[] {
  const all = deltas.reduce((sum, { share }) => sum + share, 0);
  let upTo = 0;
  return deltas.map(({ delta, share }) => ({ delta, upTo: (upTo += share / all) }));
}

function kindOf(shares: readonly { delta: Delta; upTo: number }[], chance: number): { delta: Delta } {
  return shares.find(({ upTo }) => chance < upTo) ?? (shares[shares.length - 1] as { delta: Delta });
}
