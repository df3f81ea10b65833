/**
 * A change that the search tries. `propose` judges one, chosen by chance, and returns what it would add, or NaN when
 * there is none that fits; `commit` makes the one that was judged last. A change of several steps is made already when
 * it is judged: `revert` takes it back, and is called instead of `commit`.
 */
import type { Random } from "../random.ts";
import type { State } from "../state.ts";

export interface Delta {
  propose(state: State, random: Random): number;
  commit(state: State): void;
  revert(state: State): void;
  /** VMs that it moves. */
  readonly vms: readonly number[];
}

/** A VM that may move, half of the time one of the dearest of a few hosts. -1: there is none. */
export function pickVm(state: State, random: Random): number {
  const { vms, hosts } = state.problem;
  if (random.next() < 0.5) return random.below(vms);
  const a = random.below(hosts);
  const b = random.below(hosts);
  const host = (state.hostCosts[a] as number) >= (state.hostCosts[b] as number) ? a : b;
  const members = state.membersOf(host);
  return members.length === 0 ? -1 : (members[random.below(members.length)] as number);
}
