/**
 * `npm run explore`: every behaviour of the handoff within stated bounds, and the planted mistakes that it must
 * catch. Exit code 0 when nothing is wrong and every mistake was caught, 1 otherwise, 2 for wrong usage.
 */
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { neverMade } from "./coverage.ts";
import { hunt, type Catch } from "./hunt.ts";
import { mutants } from "./mutants.ts";
import { configurations, type ConfigurationName } from "./names.ts";
import { godwit } from "./protocol.ts";
import { explore, tell, type Bounds, type Exploration } from "./search.ts";

const usage = `usage: node packages/migration/explore/main.ts [--deep] [--depth N] [--states N] [--json FILE] [--stories]

  --deep       all behaviours with two faults, and those with three up to --states
  --depth N    the longest behaviours with two faults, in events (without --deep; default 24)
  --states N   where the exploration with three faults stops (with --deep; default 30000000)
  --stories    how each planted mistake shows itself, step by step
  --json FILE  the figures, for other programs`;

interface Plan {
  configuration: ConfigurationName;
  bounds: Bounds;
}

const all = Number.POSITIVE_INFINITY;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      deep: { type: "boolean", default: false },
      depth: { type: "string", default: "24" },
      states: { type: "string", default: "30000000" },
      stories: { type: "boolean", default: false },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const depth = Number(values.depth);
  const states = Number(values.states);
  if (values.help || !Number.isSafeInteger(depth) || !Number.isSafeInteger(states)) {
    console.error(usage);
    return values.help ? 0 : 2;
  }
  const startedAt = performance.now();
  const found: Exploration[] = [];
  for (const plan of values.deep ? deepPlans(states) : plans(depth)) found.push(run(plan));

  const unmade = neverMade(found);
  for (const transition of unmade) console.log(`never made: ${transition}`);

  console.log(`\nPlanted mistakes: ${String(mutants.length)}`);
  const catches = mutants.map((mutant) => {
    const caught = hunt(mutant);
    tellCatch(caught, values.stories);
    return caught;
  });

  const violations = found.filter(({ violation }) => violation !== null).length;
  const missed = catches.filter(({ caught }) => !caught).length;
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
  console.log(
    `\n${String(sum(found, "states"))} states, ${String(sum(found, "transitions"))} transitions, ` +
      `${String(violations)} violations; ${String(catches.length - missed)} of ${String(catches.length)} ` +
      `planted mistakes caught; ${String(seconds)} s`,
  );
  if (values.json !== undefined) {
    const report = {
      states: sum(found, "states"),
      transitions: sum(found, "transitions"),
      depth: Math.max(...found.map((one) => one.depth)),
      violations,
      neverMade: unmade,
      mutants: catches.map(({ name, caught, what, faults, story }) => ({
        name,
        caught,
        traceLength: story.length,
        faults,
        what,
      })),
      seconds,
      explorations: found.map(({ violation, ...figures }) => ({
        ...figures,
        violation: violation?.what ?? null,
      })),
    };
    await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
  }
  return violations + missed + unmade.length === 0 ? 0 : 1;
}

/** What takes more faults of one kind: a destination that cannot start its guest, limits that change. */
const narrowPlans: readonly Plan[] = [
  { configuration: "kvm", bounds: { faults: 3, depth: all, states: all, kinds: ["contRefused"] } },
  { configuration: "postcopy", bounds: { faults: 3, depth: all, states: all, kinds: ["contRefused"] } },
  // Other limits, twice: that is no reason for a move to fail.
  ...(Object.keys(configurations) as ConfigurationName[]).map((configuration) => ({
    configuration,
    bounds: { faults: 2, depth: all, states: all, kinds: ["limits"] as const },
  })),
];

const plans = (depth: number): Plan[] => [
  ...narrowPlans,
  { configuration: "kvm", bounds: { faults: 1, depth: all, states: all } },
  { configuration: "tcg", bounds: { faults: 1, depth: all, states: all } },
  { configuration: "postcopy", bounds: { faults: 1, depth: all, states: all } },
  { configuration: "auto", bounds: { faults: 1, depth: all, states: all } },
  { configuration: "autoFits", bounds: { faults: 1, depth: all, states: all } },
  { configuration: "autoWithout", bounds: { faults: 1, depth: all, states: all } },
  { configuration: "kvmPaused", bounds: { faults: 1, depth: all, states: all } },
  { configuration: "postcopyPaused", bounds: { faults: 1, depth: all, states: all } },
  { configuration: "apart", bounds: { faults: 1, depth: all, states: all } },
  { configuration: "apartTcg", bounds: { faults: 1, depth: all, states: all } },
  { configuration: "apartPaused", bounds: { faults: 1, depth: all, states: all } },
  { configuration: "kvm", bounds: { faults: 2, depth, states: all } },
  { configuration: "apart", bounds: { faults: 2, depth, states: all } },
  { configuration: "tcg", bounds: { faults: 2, depth, states: all } },
  { configuration: "postcopy", bounds: { faults: 2, depth, states: all } },
  { configuration: "kvmPaused", bounds: { faults: 2, depth, states: all } },
];

const deepPlans = (states: number): Plan[] => [
  ...narrowPlans,
  { configuration: "kvm", bounds: { faults: 2, depth: all, states: all } },
  { configuration: "tcg", bounds: { faults: 2, depth: all, states: all } },
  { configuration: "apart", bounds: { faults: 2, depth: all, states } },
  { configuration: "apartTcg", bounds: { faults: 2, depth: all, states } },
  { configuration: "postcopy", bounds: { faults: 2, depth: all, states } },
  { configuration: "auto", bounds: { faults: 2, depth: all, states } },
  { configuration: "autoFits", bounds: { faults: 2, depth: all, states } },
  { configuration: "autoWithout", bounds: { faults: 2, depth: all, states } },
  { configuration: "kvmPaused", bounds: { faults: 2, depth: all, states } },
  { configuration: "postcopyPaused", bounds: { faults: 2, depth: all, states } },
  { configuration: "kvm", bounds: { faults: 3, depth: all, states } },
];

function run({ configuration, bounds }: Plan): Exploration {
  const search = { protocol: godwit, configuration: configurations[configuration], bounds };
  const found = explore(search);
  const kinds = bounds.kinds === undefined ? "" : ` (${bounds.kinds.join(", ")})`;
  const faults = `${String(bounds.faults)} ${bounds.faults === 1 ? "fault" : "faults"}${kinds}`;
  const reach = found.complete ? "all behaviours" : `behaviours of up to ${String(found.depth)} events`;
  console.log(
    `${configuration}, ${faults}: ${reach}: ${String(found.states)} states, ${String(found.transitions)} transitions, ` +
      `depth ${String(found.depth)}; ends looked for from all of them; ` +
      `${found.seconds.toFixed(1)} s, ${(found.bytes / 1e6).toFixed(0)} MB`,
  );
  if (found.violation !== null) {
    console.log(`\nWRONG: ${found.violation.what}`);
    printStory(tell(search, found.violation.path));
  }
  return found;
}

function tellCatch({ name, caught, what, faults, story }: Catch, withStory: boolean): void {
  if (!caught) {
    console.log(`  NOT CAUGHT: ${name}`);
    return;
  }
  const size = `${String(faults)} ${faults === 1 ? "fault" : "faults"}, ${String(story.length)} events`;
  console.log(`  caught: ${name} (${size}): ${what}`);
  if (withStory) printStory(story);
}

function printStory(story: readonly string[]): void {
  for (const [index, line] of story.entries()) console.log(`    ${String(index + 1).padStart(3)}  ${line}`);
}

const sum = (found: readonly Exploration[], figure: "states" | "transitions"): number =>
  found.reduce((total, one) => total + one[figure], 0);

try {
  process.exitCode = await main();
} catch (error) {
  const isUsage =
    error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
  if (!isUsage) throw error;
  console.error(`${error.message}\n\n${usage}`);
  process.exitCode = 2;
}
