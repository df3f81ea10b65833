/**
 * A placement under search: where each VM is, what each host carries, and what all of it costs. Every change is judged
 * by what it alters. `shift` and `swap` judge; `apply` does one shift, whatever it costs, and can be undone by its
 * opposite. The terms keep counts of their own: of one problem, only the state that was made last is in use.
 */
import type { GroupTerm, VmTerm } from "../terms/term.ts";
import { violationWeight, type Problem } from "./problem.ts";

/** Sums of floating point numbers that come and go do not come out at zero. */
const slack = 1e-9;

export class State {
  readonly problem: Problem;
  readonly hostOf: Int32Array;
  readonly usage: Float64Array;
  /** What has left and is still counted at its origin. */
  readonly heldUsage: Float64Array;
  readonly hostCosts: Float64Array;
  /** Cost and violations that the last judged change would add. */
  deltaCost = 0;
  deltaViolations = 0;
  cost = 0;
  violations = 0;
  /** VMs that are not at their origin. */
  moved = 0;
  readonly #members: number[][];
  readonly #position: Int32Array;
  readonly #held: boolean;
  readonly #grouped: Uint8Array;
  readonly #softVm: readonly VmTerm[];
  readonly #hardVm: readonly VmTerm[];
  readonly #mixed: Float64Array;
  readonly #from: Float64Array;
  readonly #to: Float64Array;

  constructor(problem: Problem, hostOf: Int32Array = problem.origin) {
    const { hosts, vms, resources } = problem;
    this.problem = problem;
    this.hostOf = Int32Array.from(hostOf);
    this.usage = new Float64Array((hosts + 1) * resources);
    this.heldUsage = new Float64Array((hosts + 1) * resources);
    this.hostCosts = new Float64Array(hosts + 1);
    this.#members = Array.from({ length: hosts + 1 }, () => []);
    this.#position = new Int32Array(vms);
    this.#held = problem.held.includes(1);
    this.#softVm = problem.vmTerms.filter(({ hard }) => !hard);
    this.#hardVm = problem.vmTerms.filter(({ hard }) => hard);
    this.#mixed = new Float64Array(resources);
    this.#from = new Float64Array(resources);
    this.#to = new Float64Array(resources);
    this.#grouped = new Uint8Array(vms);
    for (let vm = 0; vm < vms; vm += 1)
      if (problem.groupTerms.some((term) => term.concerns(vm))) this.#grouped[vm] = 1;
    this.recompute();
  }

  /** One number to compare by; violations first. */
  get delta(): number {
    return this.deltaViolations * violationWeight + this.deltaCost;
  }
  /** What has been added since then, violations weighed in. A difference of sums would lose the small costs. */
  since(violations: number, cost: number): number {
    return (this.violations - violations) * violationWeight + (this.cost - cost);
  }

  membersOf(host: number): readonly number[] {
    return this.#members[host] as number[];
  }

  /** Everything from where the VMs are. */
  recompute(): void {
    const { hosts, vms, resources, demand, origin, held, hostTerms, poolTerms, groupTerms } = this.problem;
    this.usage.fill(0);
    this.heldUsage.fill(0);
    this.moved = 0;
    for (const members of this.#members) members.length = 0;
    for (let vm = 0; vm < vms; vm += 1) {
      const host = this.hostOf[vm] as number;
      this.#enter(vm, host);
      const from = origin[vm] as number;
      if (from !== host) this.moved += 1;
      for (let resource = 0; resource < resources; resource += 1) {
        const amount = demand[vm * resources + resource] as number;
        add(this.usage, host * resources + resource, amount);
        if (from !== host && held[resource] === 1) add(this.heldUsage, from * resources + resource, amount);
      }
    }
    this.cost = 0;
    this.violations = 0;
    for (let host = 0; host < hosts; host += 1) {
      let cost = 0;
      for (const term of hostTerms) cost += term.cost(host, this.usage, host * resources);
      this.hostCosts[host] = cost;
      this.cost += cost;
    }
    for (const term of poolTerms) {
      term.reset(this.usage);
      this.cost += term.total();
    }
    for (let vm = 0; vm < vms; vm += 1) {
      for (const term of this.#softVm) this.cost += term.cost(vm, this.hostOf[vm] as number);
      for (const term of this.#hardVm) this.violations += term.cost(vm, this.hostOf[vm] as number);
    }
    for (const term of groupTerms) {
      term.reset(this.hostOf);
      this.#count(term, term.total());
    }
  }

  /**
   * @returns whether the VM may go there: it fits, and no rule is broken further, not even for another that would hold
   *   then; `delta` says what it changes
   */
  shift(vm: number, to: number): boolean {
    const from = this.hostOf[vm] as number;
    const { resources, demand } = this.problem;
    if (!this.fits(vm, to)) return false;
    this.deltaCost = this.#transfer(from, to, demand, vm * resources);
    this.deltaViolations = 0;
    if (!this.#addVm(vm, from, to)) return false;
    return this.#grouped[vm] !== 1 || this.#addGroups(vm, from, to);
  }

  /** Whether the VM may move, and the host has room for it. */
  fits(vm: number, to: number): boolean {
    const { open, movable, resources, demand, origin } = this.problem;
    if (this.hostOf[vm] === to || movable[vm] !== 1 || (open[to] !== 1 && origin[vm] !== to)) return false;
    return this.#fits(to, demand, vm * resources, origin[vm] === to ? vm : -1, -1);
  }

  /** Both VMs change places. */
  swap(a: number, b: number): boolean {
    const x = this.hostOf[a] as number;
    const y = this.hostOf[b] as number;
    const { open, movable, resources, demand, origin, hosts } = this.problem;
    if (x === y || x === hosts || y === hosts || movable[a] !== 1 || movable[b] !== 1) return false;
    if (open[x] !== 1 && origin[b] !== x) return false;
    if (open[y] !== 1 && origin[a] !== y) return false;
    const mixed = this.#mixed;
    for (let resource = 0; resource < resources; resource += 1)
      mixed[resource] =
        (demand[a * resources + resource] as number) - (demand[b * resources + resource] as number);
    if (!this.#fits(y, mixed, 0, origin[a] === y ? a : -1, origin[b] === y ? b : -1)) return false;
    for (let resource = 0; resource < resources; resource += 1)
      mixed[resource] = -(mixed[resource] as number);
    if (!this.#fits(x, mixed, 0, origin[b] === x ? b : -1, origin[a] === x ? a : -1)) return false;
    for (let resource = 0; resource < resources; resource += 1)
      mixed[resource] = -(mixed[resource] as number);
    this.deltaCost = this.#transfer(x, y, mixed, 0);
    this.deltaViolations = 0;
    if (!this.#addVm(a, x, y) || !this.#addVm(b, y, x)) return false;
    if (this.#grouped[a] !== 1 && this.#grouped[b] !== 1) return true;
    let holds = true;
    for (const term of this.problem.groupTerms) {
      let added = term.delta(a, x, y);
      term.apply(a, x, y);
      added += term.delta(b, y, x);
      term.apply(a, y, x);
      if (!term.hard) this.deltaCost += added;
      else if (added > 0) holds = false;
      else this.deltaViolations += added;
    }
    return holds;
  }

  /** @returns what it added, violations weighed in */
  apply(vm: number, to: number): number {
    const from = this.hostOf[vm] as number;
    const { resources, demand, origin, held, hostTerms, poolTerms, groupTerms, hosts } = this.problem;
    const { violations, cost: costBefore } = this;
    const at = vm * resources;
    const home = origin[vm] as number;
    for (const term of poolTerms) {
      this.cost -= term.total();
      term.apply(from, to, this.usage, demand, at);
      this.cost += term.total();
    }
    for (let resource = 0; resource < resources; resource += 1) {
      const amount = demand[at + resource] as number;
      add(this.usage, from * resources + resource, -amount);
      add(this.usage, to * resources + resource, amount);
      if (held[resource] !== 1) continue;
      if (from === home) add(this.heldUsage, home * resources + resource, amount);
      if (to === home) add(this.heldUsage, home * resources + resource, -amount);
    }
    for (const host of [from, to]) {
      if (host === hosts) continue;
      let cost = 0;
      for (const term of hostTerms) cost += term.cost(host, this.usage, host * resources);
      this.cost += cost - (this.hostCosts[host] as number);
      this.hostCosts[host] = cost;
    }
    for (const term of this.#softVm) this.cost += term.cost(vm, to) - term.cost(vm, from);
    for (const term of this.#hardVm) this.violations += term.cost(vm, to) - term.cost(vm, from);
    if (this.#grouped[vm] === 1)
      for (const term of groupTerms) {
        this.#count(term, -term.total());
        term.apply(vm, from, to);
        this.#count(term, term.total());
      }
    if (from === home) this.moved += 1;
    if (to === home) this.moved -= 1;
    this.#leave(vm, from);
    this.#enter(vm, to);
    this.hostOf[vm] = to;
    return this.since(violations, costBefore);
  }

  /**
   * @param home a VM that comes home with it: what is held of it there is free for it
   * @param away a VM that leaves its home for it: it stays held there
   */
  #fits(host: number, amounts: Float64Array, at: number, home: number, away: number): boolean {
    const { resources, capacity, held, demand } = this.problem;
    const base = host * resources;
    for (let resource = 0; resource < resources; resource += 1) {
      const more = amounts[at + resource] as number;
      const cap = capacity[base + resource] as number;
      let used = (this.usage[base + resource] as number) + more;
      if (this.#held && held[resource] === 1) {
        used += this.heldUsage[base + resource] as number;
        if (home >= 0) used -= demand[home * resources + resource] as number;
        if (away >= 0) used += demand[away * resources + resource] as number;
        if (used > cap + cap * slack) return false;
      } else if (more > 0 && used > cap + cap * slack) return false;
    }
    return true;
  }

  #transfer(x: number, y: number, amounts: Float64Array, at: number): number {
    const { resources, hostTerms, poolTerms, hosts } = this.problem;
    let delta = 0;
    if (hostTerms.length > 0) {
      const from = this.#from;
      const to = this.#to;
      for (let resource = 0; resource < resources; resource += 1) {
        const more = amounts[at + resource] as number;
        from[resource] = (this.usage[x * resources + resource] as number) - more;
        to[resource] = (this.usage[y * resources + resource] as number) + more;
      }
      if (x !== hosts) {
        for (const term of hostTerms) delta += term.cost(x, from, 0);
        delta -= this.hostCosts[x] as number;
      }
      if (y !== hosts) {
        for (const term of hostTerms) delta += term.cost(y, to, 0);
        delta -= this.hostCosts[y] as number;
      }
    }
    for (const term of poolTerms) delta += term.delta(x, y, this.usage, amounts, at);
    return delta;
  }

  /** @returns false when it breaks a rule */
  #addVm(vm: number, from: number, to: number): boolean {
    for (const term of this.#softVm) this.deltaCost += term.cost(vm, to) - term.cost(vm, from);
    for (const term of this.#hardVm) {
      const added = term.cost(vm, to) - term.cost(vm, from);
      if (added > 0) return false;
      this.deltaViolations += added;
    }
    return true;
  }

  /** @returns false when it breaks a rule */
  #addGroups(vm: number, from: number, to: number): boolean {
    for (const term of this.problem.groupTerms) {
      const added = term.delta(vm, from, to);
      if (!term.hard) this.deltaCost += added;
      else if (added > 0) return false;
      else this.deltaViolations += added;
    }
    return true;
  }

  #count(term: GroupTerm, amount: number): void {
    if (term.hard) this.violations += amount;
    else this.cost += amount;
  }

  #enter(vm: number, host: number): void {
    const members = this.#members[host] as number[];
    this.#position[vm] = members.length;
    members.push(vm);
  }

  #leave(vm: number, host: number): void {
    const members = this.#members[host] as number[];
    const last = members.pop() as number;
    if (last === vm) return;
    const position = this.#position[vm] as number;
    members[position] = last;
    this.#position[last] = position;
  }
}

function add(array: Float64Array, index: number, amount: number): void {
  array[index] = (array[index] as number) + amount;
}
