/** VMs that must, or should, be on some hosts or off them: a VM on a host that its rule excludes is a violation. */
import type { VmTerm } from "../terms/term.ts";

export class VmHost implements VmTerm {
  readonly name: string;
  readonly hard: boolean;
  readonly #excluded: ReadonlyMap<number, ReadonlySet<number>>;
  readonly #weight: number;

  /** @param excluded hosts of each VM that has a rule */
  constructor(
    excluded: ReadonlyMap<number, ReadonlySet<number>>,
    { hard, weight }: { hard: boolean; weight: number },
  ) {
    this.name = hard ? "must be on" : "should be on";
    this.hard = hard;
    this.#excluded = excluded;
    this.#weight = hard ? 1 : weight;
  }

  cost(vm: number, host: number): number {
    return this.#excluded.get(vm)?.has(host) === true ? this.#weight : 0;
  }
}
