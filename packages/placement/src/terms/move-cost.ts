/** What it costs that a VM is not where it was: its forecast (bytes, slowdown, outage) and the risk, given of each VM. */
import type { VmTerm } from "./term.ts";

export class MoveCost implements VmTerm {
  readonly name: string;
  readonly hard = false;
  readonly #origin: Int32Array;
  readonly #costs: Float64Array;
  readonly #nowhere: number;

  constructor(name: string, origin: Int32Array, costs: Float64Array, nowhere: number) {
    this.name = name;
    this.#origin = origin;
    this.#costs = costs;
    this.#nowhere = nowhere;
  }

  cost(vm: number, host: number): number {
    const origin = this.#origin[vm];
    return host === origin || origin === this.#nowhere ? 0 : (this.#costs[vm] as number);
  }
}
