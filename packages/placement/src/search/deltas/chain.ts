/** One VM makes room on a host for another: it goes on to a third. */
import type { Random } from "../random.ts";
import type { State } from "../state.ts";
import { pickVm, type Delta } from "./delta.ts";

/** Hosts that are tried for the one that makes room. */
const tries = 4;

export class Chain implements Delta {
  readonly vms: number[] = [-1, -1];
  #from = -1;
  #middle = -1;

  propose(state: State, random: Random): number {
    const { vms, hosts } = state.problem;
    const first = pickVm(state, random);
    const second = random.below(vms);
    if (first < 0 || first === second) return NaN;
    this.#from = state.hostOf[first] as number;
    this.#middle = state.hostOf[second] as number;
    if (this.#middle === this.#from || this.#middle === hosts) return NaN;
    let best = Infinity;
    let to = -1;
    for (let attempt = 0; attempt < tries; attempt += 1) {
      const host = random.below(hosts);
      if (host === this.#from || !state.shift(second, host) || state.delta >= best) continue;
      best = state.delta;
      to = host;
    }
    if (to < 0) return NaN;
    const { violations, cost } = state;
    state.apply(second, to);
    if (!state.shift(first, this.#middle)) {
      state.apply(second, this.#middle);
      return NaN;
    }
    state.apply(first, this.#middle);
    this.vms[0] = first;
    this.vms[1] = second;
    return state.since(violations, cost);
  }

  commit(): void {}

  revert(state: State): void {
    state.apply(this.vms[0] as number, this.#from);
    state.apply(this.vms[1] as number, this.#middle);
  }
}
