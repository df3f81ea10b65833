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
    const { groupTerms, vmTerms } = state.problem;
    const rules = groupTerms.filter(({ hard }) => hard);
    const broken = rules.map((rule) => rule.total());
    const bound = vmTerms.filter(({ hard }) => hard);
    let done = 0;
    let holds = true;
    for (const [index, vm] of vms.entries()) {
      holds =
        state.fits(vm, to) &&
        bound.every((rule) => rule.cost(vm, to) <= rule.cost(vm, from[index] as number));
      if (!holds) break;
      state.apply(vm, to);
      done += 1;
    }
    if (holds && rules.every((rule, index) => rule.total() <= (broken[index] as number)))
      return state.since(violations, cost);
    while (done > 0) {
      done -= 1;
      state.apply(vms[done] as number, from[done] as number);
    }
    return NaN;
  }

  commit(): void {}

  revert(state: State): void {
    for (let done = this.vms.length - 1; done >= 0; done -= 1)
      state.apply(this.vms[done] as number, this.#from[done] as number);
  }
}
