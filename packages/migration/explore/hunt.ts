/** Looks for what a mutant breaks: with as few faults as it takes, and then in as few events. */
import { configurations } from "./names.ts";
import { explore, tell } from "./search.ts";
import type { Mutant } from "./mutant.ts";

export interface Catch {
  name: string;
  caught: boolean;
  /** What was broken, with how many faults, and how it came to that; empty when it was not caught. */
  what: string;
  faults: number;
  story: string[];
  states: number;
}

const usuallyMostFaults = 2;
const mostStates = 6_000_000;

export function hunt(mutant: Mutant): Catch {
  const { name, protocol, faults: kinds, configuration: kind = "kvm" } = mutant;
  const mostFaults = mutant.mostFaults ?? usuallyMostFaults;
  const configuration = configurations[kind];
  let states = 0;
  for (let faults = 0; faults <= mostFaults; faults++) {
    const bounds = {
      faults,
      depth: Number.POSITIVE_INFINITY,
      states: mostStates,
      ...(kinds === undefined ? {} : { kinds }),
    };
    const found = explore({ protocol, configuration, bounds });
    states += found.states;
    if (found.violation === null) continue;
    const { what, path } = found.violation;
    return { name, caught: true, what, faults, story: tell({ protocol, configuration }, path), states };
  }
  return { name, caught: false, what: "", faults: 0, story: [], states };
}
