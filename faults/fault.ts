/** What every fault is: harm that is done at one moment, and that may heal. */
import type { VmView } from "@godwit/contract";
import type { TestLab } from "@godwit/test-kit";
import type { Phase } from "./phases.ts";

/** A move under way, with the hosts by the part that they have in it. */
export interface Scene {
  lab: TestLab;
  vm: VmView;
  source: string;
  destination: string;
}

/**
 * Ends the harm: what was stopped goes on, what was killed is started again as an init system would do it.
 * Harm that lasts ends only when `judged` resolves: when all is well in spite of it, or patience is over.
 */
export type Heal = (judged: Promise<void>) => Promise<void>;

export interface Fault {
  /** As on the command line: `kill-source-agent`. */
  name: string;
  /** Phases in which there is nothing to harm. */
  impossible?: readonly Phase[];
  /** Phases in which the VM's only whole copy may go with it; in all others the VM must live. */
  fatal?: readonly Phase[];
  inject: (scene: Scene) => Promise<Heal>;
}
