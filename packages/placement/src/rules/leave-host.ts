/** Hosts that are to be empty, and VMs that have no host yet: a VM that is still there is a violation, lighter than a rule's. */
import type { VmTerm } from "../terms/term.ts";

export class LeaveHost implements VmTerm {
  readonly name = "must leave";
  readonly hard = true;
  readonly #closed: Uint8Array;
  readonly #weight: number;

  /** @param closed of each host, and of nowhere, 1: it is to be empty @param weight of a rule's 1 */
  constructor(closed: Uint8Array, weight: number) {
    this.#closed = closed;
    this.#weight = weight;
  }

  cost(_vm: number, host: number): number {
    return this.#closed[host] === 1 ? this.#weight : 0;
  }
}
