/** The terms of the machine reassignment problem that no pool of VMs has. */
import type { GroupTerm, HostTerm, VmTerm } from "../../../packages/placement/src/search/index.ts";
import type { Instance } from "./model.ts";

/** Free amounts of one resource that lack their part of another. */
export class Stranded implements HostTerm {
  readonly name = "stranded";
  readonly #capacity: Float64Array;
  readonly #balances: Instance["balances"];
  readonly #resources: number;

  constructor(capacity: Float64Array, { balances, resources }: Instance) {
    this.#capacity = capacity;
    this.#balances = balances;
    this.#resources = resources.length;
  }

  cost(host: number, usage: Float64Array, at: number): number {
    const base = host * this.#resources;
    let cost = 0;
    for (const { first, second, target, weight } of this.#balances) {
      const a = (this.#capacity[base + first] as number) - (usage[at + first] as number);
      const b = (this.#capacity[base + second] as number) - (usage[at + second] as number);
      const lacks = target * a - b;
      if (lacks > 0) cost += weight * lacks;
    }
    return cost;
  }
}

/** What a process and the way between two machines cost. */
export class MachineMoves implements VmTerm {
  readonly name = "machine moves";
  readonly hard = false;
  readonly #origin: Int32Array;
  readonly #own: Float64Array;
  readonly #way: Float64Array;
  readonly #hosts: number;

  constructor({ machines, processes, weights }: Instance, origin: Int32Array) {
    this.#origin = origin;
    this.#hosts = machines.length;
    this.#own = Float64Array.from(processes, ({ moveCost }) => moveCost * weights.processMove);
    this.#way = new Float64Array(this.#hosts * this.#hosts);
    for (const [from, { moveCost }] of machines.entries())
      this.#way.set(
        moveCost.map((cost) => cost * weights.machineMove),
        from * this.#hosts,
      );
  }

  cost(vm: number, host: number): number {
    const origin = this.#origin[vm] as number;
    if (origin === host) return 0;
    return (this.#own[vm] as number) + (this.#way[origin * this.#hosts + host] as number);
  }
}

/** The most processes of one service that have moved. */
export class ServiceMoves implements GroupTerm {
  readonly name = "service moves";
  readonly hard = false;
  readonly #origin: Int32Array;
  readonly #serviceOf: Int32Array;
  readonly #weight: number;
  readonly #moved: Int32Array;
  /** How many services have moved so many. */
  readonly #histogram: Int32Array;
  #most = 0;

  constructor({ services, processes, weights }: Instance, origin: Int32Array) {
    this.#origin = origin;
    this.#serviceOf = Int32Array.from(processes, ({ service }) => service);
    this.#weight = weights.serviceMove;
    this.#moved = new Int32Array(services.length);
    this.#histogram = new Int32Array(processes.length + 2);
  }

  reset(hostOf: Int32Array): void {
    this.#moved.fill(0);
    this.#histogram.fill(0);
    this.#histogram[0] = this.#moved.length;
    this.#most = 0;
    for (const [vm, host] of hostOf.entries()) if (host !== this.#origin[vm]) this.#change(vm, 1);
  }

  concerns(): boolean {
    return true;
  }

  delta(vm: number, from: number, to: number): number {
    const origin = this.#origin[vm];
    const count = this.#moved[this.#serviceOf[vm] as number] as number;
    if (from === origin) return count === this.#most ? this.#weight : 0;
    if (to !== origin) return 0;
    return count === this.#most && this.#histogram[count] === 1 ? -this.#weight : 0;
  }

  apply(vm: number, from: number, to: number): void {
    const origin = this.#origin[vm];
    if (from === origin) this.#change(vm, 1);
    else if (to === origin) this.#change(vm, -1);
  }

  total(): number {
    return this.#weight * this.#most;
  }

  #change(vm: number, more: 1 | -1): void {
    const service = this.#serviceOf[vm] as number;
    const count = this.#moved[service] as number;
    this.#moved[service] = count + more;
    this.#histogram[count] = (this.#histogram[count] as number) - 1;
    this.#histogram[count + more] = (this.#histogram[count + more] as number) + 1;
    if (count + more > this.#most) this.#most = count + more;
    while (this.#most > 0 && this.#histogram[this.#most] === 0) this.#most -= 1;
  }
}
