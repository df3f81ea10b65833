/** A VM that was moved goes home and another is moved instead: as many moves as before, to more use. */
import type { Random } from "../random.ts";
import type { State } from "../state.ts";
import { pickVm, type Delta } from "./delta.ts";

export class Exchange implements Delta {
  readonly vms: number[] = [-1, -1];
  #from: [number, number] = [-1, -1];

  propose(state: State, random: Random): number {
    const { origin, hosts } = state.problem;
    const host = random.below(hosts);
    const members = state.membersOf(host);
    const back = members[random.below(Math.max(1, members.length))];
    const other = pickVm(state, random);
    if (back === undefined || other < 0 || other === back) return NaN;
    const home = origin[back] as number;
    const to = random.below(hosts);
    if (home === host || home === hosts || to === state.hostOf[other] || !state.shift(back, home)) return NaN;
    const { violations, cost } = state;
    state.apply(back, home);
    if (!state.shift(other, to)) {
      state.apply(back, host);
      return NaN;
    }
    this.#from = [host, state.hostOf[other] as number];
    state.apply(other, to);
    this.vms[0] = back;
    this.vms[1] = other;
    return state.since(violations, cost);
  }

  commit(): void {}

  revert(state: State): void {
    state.apply(this.vms[1] as number, this.#from[1]);
    state.apply(this.vms[0] as number, this.#from[0]);
  }
}
