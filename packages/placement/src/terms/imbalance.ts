/**
 * How unevenly hosts are used: of each resource the standard deviation of its use, as a part of the host's capacity,
 * around what all hosts would have if it were spread evenly. Below the tolerance it costs nothing.
 */
import type { PoolTerm } from "./term.ts";

export interface ImbalanceSettings {
  resources: number;
  /** Hosts that count. */
  hosts: readonly number[];
  /** hosts x resources: what a use of 1 is. */
  capacity: Float64Array;
  /** Of each resource; 0: it does not count. */
  weights: Float64Array;
  /** Standard deviation that is left alone. */
  tolerance: number;
  /** Of all VMs, wherever they are. */
  total: Float64Array;
}

export class Imbalance implements PoolTerm {
  readonly name = "imbalance";
  readonly #settings: ImbalanceSettings;
  readonly #counted: number[];
  readonly #counts: Uint8Array;
  readonly #even: Float64Array;
  readonly #squares: Float64Array;

  constructor(settings: ImbalanceSettings) {
    this.#settings = settings;
    const { resources, capacity, hosts, total, weights } = settings;
    const all = hosts.length > 0 ? [...weights.keys()] : [];
    this.#counted = all.filter((resource) => (weights[resource] as number) > 0);
    this.#counts = new Uint8Array(capacity.length / resources + 1);
    for (const host of hosts) this.#counts[host] = 1;
    this.#even = new Float64Array(resources);
    this.#squares = new Float64Array(resources);
    for (const resource of this.#counted) {
      let all = 0;
      for (const host of hosts) all += capacity[host * resources + resource] as number;
      this.#even[resource] = all > 0 ? (total[resource] as number) / all : 0;
    }
  }

  reset(usage: Float64Array): void {
    for (const resource of this.#counted) {
      let sum = 0;
      for (const host of this.#settings.hosts) sum += this.#square(host, resource, usage, 0);
      this.#squares[resource] = sum;
    }
  }

  delta(from: number, to: number, usage: Float64Array, demand: Float64Array, at: number): number {
    let delta = 0;
    for (const resource of this.#counted) {
      const before = this.#squares[resource] as number;
      const change = this.#change(resource, from, to, usage, demand, at);
      delta +=
        (this.#settings.weights[resource] as number) * (this.#cost(before + change) - this.#cost(before));
    }
    return delta;
  }

  apply(from: number, to: number, usage: Float64Array, demand: Float64Array, at: number): void {
    for (const resource of this.#counted)
      this.#squares[resource] =
        (this.#squares[resource] as number) + this.#change(resource, from, to, usage, demand, at);
  }

  total(): number {
    let total = 0;
    for (const resource of this.#counted)
      total += (this.#settings.weights[resource] as number) * this.#cost(this.#squares[resource] as number);
    return total;
  }

  #cost(squares: number): number {
    const deviation = Math.sqrt(Math.max(0, squares) / this.#settings.hosts.length);
    return Math.max(0, deviation - this.#settings.tolerance);
  }

  #change(
    resource: number,
    from: number,
    to: number,
    usage: Float64Array,
    demand: Float64Array,
    at: number,
  ): number {
    const amount = demand[at + resource] as number;
    return (
      this.#square(from, resource, usage, -amount) -
      this.#square(from, resource, usage, 0) +
      this.#square(to, resource, usage, amount) -
      this.#square(to, resource, usage, 0)
    );
  }

  #square(host: number, resource: number, usage: Float64Array, more: number): number {
    if (this.#counts[host] !== 1) return 0;
    const index = host * this.#settings.resources + resource;
    const used = ((usage[index] as number) + more) / (this.#settings.capacity[index] as number);
    const off = used - (this.#even[resource] as number);
    return off * off;
  }
}
