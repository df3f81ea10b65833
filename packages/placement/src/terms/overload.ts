/** Linear cost of what a host carries of a resource above a level: of each host and resource one level, of each resource a weight. */
import type { HostTerm } from "./term.ts";

export class Overload implements HostTerm {
  readonly name: string;
  readonly #levels: Float64Array;
  readonly #weights: Float64Array;

  /** @param levels hosts x resources */
  constructor(name: string, levels: Float64Array, weights: Float64Array) {
    this.name = name;
    this.#levels = levels;
    this.#weights = weights;
  }

  cost(host: number, usage: Float64Array, at: number): number {
    const resources = this.#weights.length;
    const base = host * resources;
    let cost = 0;
    for (let resource = 0; resource < resources; resource += 1) {
      const over = (usage[at + resource] as number) - (this.#levels[base + resource] as number);
      if (over > 0) cost += over * (this.#weights[resource] as number);
    }
    return cost;
  }
}
