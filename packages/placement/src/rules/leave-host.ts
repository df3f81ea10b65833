/** Hosts that are to be empty, and VMs that have no host yet: a VM that is still there is a violation. */
import type { VmTerm } from "../terms/term.ts";

export class LeaveHost implements VmTerm {
  readonly name = "must leave";
  readonly hard = true;
  readonly #closed: Uint8Array;

  /** @param closed of each host, and of nowhere, 1: it is to be empty */
  constructor(closed: Uint8Array) {
    this.#closed = closed;
  }

  cost(_vm: number, host: number): number {
    return this.#closed[host] as number;
  }
}
