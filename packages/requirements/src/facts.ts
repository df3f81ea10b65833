/** What the requirement checks look at: gathered before, judged here without any I/O. */
import type { Baseline, Finding, HostFacts, Vm, VmRuntime } from "@godwit/contract";

export interface MoveFacts {
  vm: Vm;
  /** The VM's process at the source. */
  runtime: VmRuntime;
  source: HostFacts;
  /** `facts` is null when the destination did not answer; `reason` then says why. In maintenance it takes no VMs. */
  destination: {
    name: string;
    takesVms: boolean;
    facts: HostFacts | null;
    reason?: string;
    /** Of the pool that it is in; null or absent: none. */
    baseline?: Baseline | null;
  };
}

/** The same with a destination that answered: what every check but the first needs. */
export interface ReachableFacts extends MoveFacts {
  target: HostFacts;
}

/** One requirement: no findings when it is met. */
export type Requirement = (facts: ReachableFacts) => Finding[];
