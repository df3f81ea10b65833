/**
 * What is explored: the reducers that agents and lease service run, behind one door, so that a mutant can
 * stand in for them. Mutants wrap these functions; there is no second copy of any of them.
 */
import {
  decideLease,
  initialSource,
  hearWithoutMove,
  reconcileLeases,
  restoreDestination,
  restoreSource,
  startDestination,
  stepDestination,
  stepSource,
  vitalDestinationEntries,
  vitalSourceEntries,
} from "../src/index.ts";

export const godwit = {
  initialSource,
  stepSource,
  restoreSource,
  startDestination,
  stepDestination,
  restoreDestination,
  decideLease,
  reconcileLeases,
  hearWithoutMove,
  vitalSourceEntries,
  vitalDestinationEntries,
};

export type Protocol = typeof godwit;
