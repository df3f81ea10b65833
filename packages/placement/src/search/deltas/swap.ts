/** Two VMs change places. */
import type { Random } from "../random.ts";
import type { State } from "../state.ts";
import { pickVm, type Delta } from "./delta.ts";

export class Swap implements Delta {
  readonly vms: number[] = [-1, -1];

  propose(state: State, random: Random): number {
    const a = pickVm(state, random);
    const b = random.below(state.problem.vms);
    if (a < 0 || a === b) return NaN;
    this.vms[0] = a;
    this.vms[1] = b;
    return state.swap(a, b) ? state.delta : NaN;
  }

  commit(state: State): void {
    const [a, b] = this.vms as [number, number];
    const x = state.hostOf[a] as number;
    const y = state.hostOf[b] as number;
    state.apply(a, y);
    state.apply(b, x);
  }

  revert(): void {}
}
