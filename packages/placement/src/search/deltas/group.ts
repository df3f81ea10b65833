/** All VMs of a group that is to be kept together go to one host: one of them alone would break the rule. */
import type { Random } from "../random.ts";
import type { State } from "../state.ts";
import type { Delta } from "./delta.ts";

export class Group implements Delta {
  vms: readonly number[] = [];
  readonly #groups: readonly (readonly number[])[];
  #from: number[] = [];

  constructor(groups: readonly (readonly number[])[]) {
    this.#groups = groups;
  }

  propose(state: State, random: Random): number {
    const group = this.#groups[random.below(this.#groups.length)];
    if (group === undefined) return NaN;
    return this.tryAt(state, group, random.below(state.problem.hosts));
  }

  /** @returns NaN when they do not fit there */
  tryAt(state: State, group: readonly number[], to: number): number {
    const { violations, cost } = state;
    const vms = group.filter((vm) => state.hostOf[vm] !== to);
    const from = vms.map((vm) => state.hostOf[vm] as number);
    if (vms.length === 0) return NaN;
    this.vms = vms;
    this.#from = from;
    for (const [index, vm] of vms.entries()) {
      if (state.shift(vm, to)) {
        state.apply(vm, to);
        continue;
      }
      for (let done = index - 1; done >= 0; done -= 1) state.apply(vms[done] as number, from[done] as number);
      return NaN;
    }
    return state.since(violations, cost);
  }

  commit(): void {}

  revert(state: State): void {
    for (let done = this.vms.length - 1; done >= 0; done -= 1)
      state.apply(this.vms[done] as number, this.#from[done] as number);
  }
}
