/** A pool as numbers: what every search works on. Host number `hosts` is nowhere: VMs to be placed start there. */
import type { GroupTerm, HostTerm, PoolTerm, VmTerm } from "../terms/term.ts";

export interface Problem {
  hosts: number;
  vms: number;
  resources: number;
  /** Of each VM. */
  origin: Int32Array;
  /** vms x resources */
  demand: Float64Array;
  /** hosts x resources; Infinity: no cap. */
  capacity: Float64Array;
  /**
   * Of each resource: 1, a VM that moves keeps its demand at its origin until all moves have ended, as when they all go
   * at once. All 0: moves go one after the other, and `orderMoves` finds an order with room for each.
   */
  held: Uint8Array;
  /** Of each host, 1: VMs may come. */
  open: Uint8Array;
  /** Of each VM, 1: it may move. */
  movable: Uint8Array;
  hostTerms: readonly HostTerm[];
  poolTerms: readonly PoolTerm[];
  vmTerms: readonly VmTerm[];
  groupTerms: readonly GroupTerm[];
}

/** A violation weighs more than any cost. */
export const violationWeight = 1e15;
/** That a host is not empty yet weighs less than a rule: no rule is broken to empty one. A power of two, so that sums are exact. */
export const leaveWeight = 1 / 1024;
/** Whatever adds or takes more than this changes a violation. */
export const leastViolation = (violationWeight * leaveWeight) / 4;
