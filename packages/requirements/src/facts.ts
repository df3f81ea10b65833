/** What the requirement checks look at: gathered before, judged here without any I/O. */
import type {
  Baseline,
  ClockReading,
  Finding,
  Hello,
  HostFacts,
  HostLoad,
  PathProbe,
  Vm,
  VmRuntime,
} from "@godwit/contract";

/** A host that a VM is to come to. */
export interface Destination {
  name: string;
  /** Not in maintenance, nor on its way there. */
  takesVms: boolean;
  /** Null when it did not answer; `reason` then says why. */
  report: HostReport | null;
  reason?: string;
  /** What its agent told of its version; absent: it did not answer. */
  agent?: Hello;
  /** Where more is known than that it did not answer. */
  refusal?: Finding;
  /** Of the pool that it is in; null or absent: none. */
  baseline?: Baseline | null;
  /** Of the way of a migration stream to it; absent: it was not tried, for what is known already forbids the move. */
  path?: PathTrial;
}

/** `refused`: the destination cannot listen. `untried`: the try could not be made, which says nothing of the way. */
export type PathTrial =
  | { kind: "tried"; address: string; port: number; probe: PathProbe }
  | { kind: "refused"; finding: Finding }
  | { kind: "untried"; reason: string };

/** What a host is, and what it does now. */
export interface HostReport {
  facts: HostFacts;
  load: HostLoad;
  /** Its clock against the server's, when the load was read; absent: it was not compared. */
  clock?: ClockReading;
}

/** Of a VM that does not run. */
export interface RelocationFacts {
  vm: Vm;
  /** The destination's datastore that the VM's disks are to move to together with it; absent: they stay where they are. */
  carryTo?: string;
  /** As it was reported last, which may be long ago; null: it never reported. */
  source: HostFacts | null;
  destination: Destination;
}

/** Of a VM that runs. */
export interface MoveFacts extends RelocationFacts {
  /** The VM's process at the source. */
  runtime: VmRuntime;
  source: HostFacts;
  sourceLoad: HostLoad | null;
  sourceClock?: ClockReading;
}

/** The same with a destination that answered: what every requirement but `maintenance` needs. */
export type Reachable<Facts extends RelocationFacts> = Facts & { target: HostFacts; targetLoad: HostLoad };

/** One requirement of a live move: no findings when it is met. */
export type Requirement = (facts: Reachable<MoveFacts>) => Finding[];
/** One that holds for a VM that does not run too. */
export type ColdRequirement = (facts: Reachable<RelocationFacts>) => Finding[];
