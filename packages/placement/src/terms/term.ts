/**
 * What a placement costs is a sum of terms. A term sees hosts and VMs as numbers, and answers what one change would
 * alter without looking at the rest of the pool. Costs are CPU core-seconds lost within the horizon, unless a caller
 * chose a unit of its own; a hard term counts violations instead, and none may be added.
 *
 * Host number `hosts` (one past the last) is nowhere: a VM that is still to be placed is there.
 */

/** The cost of one host by what it carries: `usage[at + resource]`. */
export interface HostTerm {
  readonly name: string;
  cost(host: number, usage: Float64Array, at: number): number;
}

/** A cost of the whole pool that two hosts change when demand goes from one to the other. */
export interface PoolTerm {
  readonly name: string;
  reset(usage: Float64Array): void;
  /** @param usage of all hosts, before the change @param demand what goes, from index `at` on */
  delta(from: number, to: number, usage: Float64Array, demand: Float64Array, at: number): number;
  /** The same change is made now. `usage` is still that before it. */
  apply(from: number, to: number, usage: Float64Array, demand: Float64Array, at: number): void;
  total(): number;
}

/** The cost of one VM on one host, independent of all others. */
export interface VmTerm {
  readonly name: string;
  readonly hard: boolean;
  cost(vm: number, host: number): number;
}

/** A cost of VMs that belong together in some way. */
export interface GroupTerm {
  readonly name: string;
  readonly hard: boolean;
  reset(hostOf: Int32Array): void;
  /** Whether moves of this VM can change it. */
  concerns(vm: number): boolean;
  delta(vm: number, from: number, to: number): number;
  apply(vm: number, from: number, to: number): void;
  total(): number;
}
