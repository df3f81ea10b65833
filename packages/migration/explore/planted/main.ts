/**
 * `npm run plant`: plants mistakes into the reducers, one at a time, and says which of compiler, explorer and tests
 * catches each. Exit code 0 when every one is caught or listed as harmless, 1 otherwise, 2 for wrong usage.
 */
import { spawn } from "node:child_process";
import { globSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { makeCompiler } from "./compile.ts";
import { harmless } from "./harmless.ts";
import { mistakesIn, planted, type Mistake } from "./sites.ts";
import type { Verdict } from "./trial.ts";

const usage = `usage: node packages/migration/explore/planted/main.ts [--only TEXT] [--jobs N] [--quick] [--list] [--json FILE]

  --only TEXT  the mistakes whose id contains it (a file's name, a kind, a condition)
  --jobs N     trials at a time (default 2; each takes up to 1 GB)
  --quick      without the exploration with two faults
  --list       the mistakes, without trying them
  --json FILE  the figures, for other programs

All of them take about two hours of one processor.`;

type CaughtBy =
  "the compiler" | "the explorer" | "its coverage" | "the tests" | "the explorer, with two faults";
interface Result {
  readonly id: string;
  readonly line: number;
  readonly caughtBy: CaughtBy | null;
  readonly what: string;
}

const here = import.meta.dirname;
const root = resolve(here, "../../../..");
const sources = globSync(join(root, "packages/migration/src/handoff/*.ts")).sort();

interface Ended {
  readonly exitCode: number | null;
  readonly output: string;
}

function node(args: readonly string[], plantedText: object): Promise<Ended> {
  return new Promise((done, failed) => {
    const env = { ...process.env, GODWIT_PLANTED: JSON.stringify(plantedText) };
    const child = spawn(process.execPath, args, { cwd: root, env, stdio: ["ignore", "pipe", "ignore"] });
    let output = "";
    child.stdout.on("data", (data: Buffer) => (output += data.toString()));
    child.on("error", failed);
    child.on("close", (exitCode) => {
      done({ exitCode, output });
    });
  });
}

async function tried(stage: "quick" | "thorough", text: object): Promise<Verdict> {
  const { output, exitCode } = await node(
    ["--import", join(here, "hook.ts"), join(here, "trial.ts"), stage],
    text,
  );
  // A program that cannot even be loaded, or ends for want of memory, shows its mistake.
  if (exitCode !== 0) return { wrong: `the program ended with ${String(exitCode)}`, neverMade: [] };
  return JSON.parse(output) as Verdict;
}

async function judge(mistake: Mistake, compiler: ReturnType<typeof makeCompiler>, run: Run): Promise<Result> {
  const { id, line, path } = mistake;
  const text = planted(mistake);
  const caught = (caughtBy: CaughtBy, what: string): Result => ({ id, line, caughtBy, what });
  const error = compiler.errorIn(path, text);
  if (error !== null) return caught("the compiler", error);
  const quick = await tried("quick", { path, text });
  if (quick.wrong !== null) return caught("the explorer", quick.wrong);
  const never = quick.neverMade.filter((one) => !run.usuallyNeverMade.includes(one));
  if (never.length > 0) return caught("its coverage", `never made: ${never.join(", ")}`);
  const vitest = ["node_modules/vitest/vitest.mjs", "run", "--config", join(here, "vitest.config.ts")];
  const tests = await node(vitest, { path, text });
  if (tests.exitCode !== 0)
    return caught("the tests", /(?:FAIL|×) +(.*)/.exec(tests.output)?.[1] ?? "a test fails");
  if (run.isQuick) return { id, line, caughtBy: null, what: "" };
  const thorough = await tried("thorough", { path, text });
  if (thorough.wrong !== null) return caught("the explorer, with two faults", thorough.wrong);
  return { id, line, caughtBy: null, what: "" };
}

interface Run {
  readonly isQuick: boolean;
  /** What the sound reducers do not do within the bounds of the quick trial. */
  readonly usuallyNeverMade: readonly string[];
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: "string", default: "" },
      jobs: { type: "string", default: "2" },
      quick: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const jobs = Number(values.jobs);
  if (values.help || !Number.isSafeInteger(jobs) || jobs < 1) {
    console.error(usage);
    return values.help ? 0 : 2;
  }
  const mistakes = sources.flatMap(mistakesIn).filter(({ id }) => id.includes(values.only));
  if (values.list) {
    for (const { id, line } of mistakes) console.log(`${id} (line ${String(line)})`);
    return 0;
  }
  const sound = await tried("quick", {});
  if (sound.wrong !== null) {
    console.error(`The explorer finds a fault though no mistake was planted: ${sound.wrong}.`);
    return 1;
  }
  const run: Run = { isQuick: values.quick, usuallyNeverMade: sound.neverMade };
  const results = await all(mistakes, jobs, run);
  const undecided = report(results);
  if (values.json !== undefined)
    await writeFile(values.json, `${JSON.stringify(figures(results), null, 2)}\n`);
  return undecided === 0 ? 0 : 1;
}

async function all(mistakes: readonly Mistake[], jobs: number, run: Run): Promise<Result[]> {
  const compiler = makeCompiler(join(root, "tsconfig.json"), sources);
  const results: Result[] = [];
  const waiting = [...mistakes];
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const result = await judge(next, compiler, run);
      results.push(result);
      const how =
        result.caughtBy === null ? "NOT CAUGHT" : `${result.caughtBy}: ${result.what.slice(0, 100)}`;
      console.log(`${String(results.length)}/${String(mistakes.length)} ${result.id.slice(0, 160)} — ${how}`);
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  return results;
}

/** @returns how many are neither caught nor listed as harmless, with the lines of the list that are out of date */
function report(results: readonly Result[]): number {
  const missed = results.filter(({ caughtBy }) => caughtBy === null);
  const unexplained = missed.filter(({ id }) => !(id in harmless));
  const outdated = results.filter(({ id, caughtBy }) => caughtBy !== null && id in harmless);
  for (const { id, line } of unexplained) console.log(`not caught: ${id} (line ${String(line)})`);
  for (const { id } of outdated) console.log(`listed as harmless, but caught: ${id}`);
  const share = Math.round((1000 * (results.length - missed.length)) / Math.max(1, results.length)) / 10;
  console.log(
    `\n${String(results.length)} mistakes, ${String(results.length - missed.length)} caught (${String(share)} %), ` +
      `${String(missed.length - unexplained.length)} harmless, ${String(unexplained.length)} not caught`,
  );
  return unexplained.length + outdated.length;
}

function figures(results: readonly Result[]): object {
  return {
    mistakes: results.length,
    caught: results.filter(({ caughtBy }) => caughtBy !== null).length,
    results: results.map((result) => ({ ...result, harmless: harmless[result.id] ?? null })),
  };
}

process.exitCode = await main();
