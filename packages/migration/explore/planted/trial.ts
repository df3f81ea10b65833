/**
 * One trial, in a process of its own: the explorer over the reducers as they are loaded, from the smallest bounds to
 * larger ones, until something is wrong. Prints one line of JSON.
 */
import { neverMade } from "../coverage.ts";
import { configurations, type ConfigurationName } from "../names.ts";
import { godwit } from "../protocol.ts";
import { explore, type Bounds, type Exploration } from "../search.ts";

/** What was wrong, or null; `neverMade` only when all explorations within the bounds were done. */
export interface Verdict {
  readonly wrong: string | null;
  readonly neverMade: readonly string[];
}

const all = Number.POSITIVE_INFINITY;
/** No exploration of the sound reducers with these bounds is larger: a mistake that makes it so is one that shows. */
const mostStates = 4_000_000;
const names = ["kvm", "tcg", "postcopy"] as const satisfies readonly ConfigurationName[];

const faultless = names.map((name) => [name, { faults: 0 }] as const);

const stages: Record<string, readonly (readonly [ConfigurationName, Partial<Bounds>])[]> = {
  faultless,
  quick: [
    ...faultless,
    ...names.map((name) => [name, { faults: 1 }] as const),
    ...(["kvm", "postcopy"] as const).map((name) => [name, { faults: 3, kinds: ["contRefused"] }] as const),
  ],
  thorough: names.map((name) => [name, { faults: 2, depth: 24 }] as const),
};

function judge(stage: string): Verdict {
  const done: Exploration[] = [];
  for (const [name, bounds] of stages[stage] ?? []) {
    const found = explore({
      protocol: godwit,
      configuration: configurations[name],
      bounds: { faults: 0, depth: all, states: mostStates, ...bounds },
    });
    if (found.violation !== null) return { wrong: found.violation.what, neverMade: [] };
    if (found.states >= mostStates) return { wrong: "it goes on and on", neverMade: [] };
    done.push(found);
  }
  return { wrong: null, neverMade: neverMade(done) };
}

function verdict(stage: string): Verdict {
  try {
    return judge(stage);
  } catch (error) {
    return { wrong: `it throws: ${error instanceof Error ? error.message : String(error)}`, neverMade: [] };
  }
}

console.log(JSON.stringify(verdict(process.argv[2] ?? "quick")));
