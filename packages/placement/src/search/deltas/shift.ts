/** One VM goes to another host. */
import type { Random } from "../random.ts";
import type { State } from "../state.ts";
import { pickVm, type Delta } from "./delta.ts";

export class Shift implements Delta {
  readonly vms: number[] = [-1];
  #to = -1;

  propose(state: State, random: Random): number {
    const vm = pickVm(state, random);
    if (vm < 0) return NaN;
    const { hosts, origin } = state.problem;
    const home = origin[vm] as number;
    const goesHome = state.hostOf[vm] !== home && home !== hosts && random.next() < 0.1;
    this.vms[0] = vm;
    this.#to = goesHome ? home : random.below(hosts);
    return state.shift(vm, this.#to) ? state.delta : NaN;
  }

  commit(state: State): void {
    state.apply(this.vms[0] as number, this.#to);
  }

  revert(): void {}
}
