/** Memory that the VMs of a host touch above the level from which it is reclaimed: a guest that swaps waits for its disk. */
import type { HostTerm } from "./term.ts";

export class MemoryPressure implements HostTerm {
  readonly name = "memory pressure";
  readonly #active: number;
  readonly #levels: Float64Array;
  readonly #costPerByte: number;

  /** @param active index of the resource @param levels bytes, of each host @param costPerByte within the horizon */
  constructor(active: number, levels: Float64Array, costPerByte: number) {
    this.#active = active;
    this.#levels = levels;
    this.#costPerByte = costPerByte;
  }

  cost(host: number, usage: Float64Array, at: number): number {
    const over = (usage[at + this.#active] as number) - (this.#levels[host] as number);
    return over > 0 ? over * this.#costPerByte : 0;
  }
}
