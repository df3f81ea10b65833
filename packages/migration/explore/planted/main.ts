/**
 * `npm run plant`: plants mistakes into the reducers, one at a time, and says which of compiler, explorer and tests
 * catches each. Exit code 0 when every one is caught or listed as harmless, 1 otherwise, 2 for wrong usage.
 */
import { globSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { decisionTable, tableBounds } from "../decisions.ts";
import { godwit } from "../protocol.ts";
import { errorsOf } from "./compile.ts";
import { harmless } from "./harmless.ts";
import { Journal, judges, type Result } from "./journal.ts";
import { Suspect, type Judgement } from "./judge.ts";
import { askAll, type Asked } from "./questions.ts";
import { reducersWith } from "./reducers.ts";
import { mistakesIn, planted, type Mistake } from "./sites.ts";
import { startTests, type Tests } from "./tests.ts";

const usage = `usage: node packages/migration/explore/planted/main.ts [--only TEXT]… [--quick] [--list] [--again] [--journal FILE] [--json FILE]

  --only TEXT     the mistakes whose id contains it (a file's name, a kind, a condition, a whole id); with several, those
                  that contain any of them
  --quick         fewer questions, and no further explorations of what nothing else catches
  --list          the mistakes, without trying them
  --again         all of them, also those that an interrupted campaign has tried
  --journal FILE  where what is found is kept (default godwit-planted.jsonl in the folder for temporary files)
  --json FILE     the figures, for other programs

All of them take some minutes of one processor and 1 GB. What was found is kept as it is found, for as long as the
reducers and the explorer are the same: a campaign that was interrupted goes on where it was.`;

const root = resolve(import.meta.dirname, "../../../..");
const sources = globSync(join(root, "packages/migration/src/handoff/*.ts")).sort();
const walks = 1500;
const quickWalks = 100;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: "string", multiple: true, default: [""] },
      quick: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      again: { type: "boolean", default: false },
      journal: { type: "string", default: join(tmpdir(), "godwit-planted.jsonl") },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const mistakes = sources
    .flatMap(mistakesIn)
    .filter(({ id }) => values.only.some((text) => id.includes(text)));
  if (values.list) {
    for (const { id, line } of mistakes) console.log(`${id} (line ${String(line)})`);
    return 0;
  }
  const campaign = new Campaign(new Journal(values.journal, root));
  const results = await campaign.run(mistakes, { isThorough: !values.quick, again: values.again });
  const undecided = report(results);
  if (values.json !== undefined)
    await writeFile(values.json, `${JSON.stringify(figures(results), null, 2)}\n`);
  return undecided === 0 ? 0 : 1;
}

/** Each judge looks at what those before it, which are quicker, have let pass. */
class Campaign {
  readonly #journal: Journal;
  readonly #results = new Map<string, Result>();
  #of = 0;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  async run(
    mistakes: readonly Mistake[],
    { isThorough, again }: { isThorough: boolean; again: boolean },
  ): Promise<Result[]> {
    this.#of = mistakes.length;
    const left = mistakes.filter(({ id }) => {
      const known = again ? null : this.#journal.resultOf(id, isThorough);
      if (known !== null) this.#results.set(id, known);
      return known === null;
    });
    if (left.length > 0) await this.#judge(left, isThorough);
    return mistakes.flatMap(({ id }) => this.#results.get(id) ?? []);
  }

  async #judge(mistakes: readonly Mistake[], isThorough: boolean): Promise<void> {
    const errors = errorsOf(join(root, "tsconfig.json"), mistakes);
    const compiling = mistakes.filter((mistake) => {
      const error = errors.get(mistake.id);
      if (error !== undefined) this.#found(mistake, "the compiler", error, null);
      return error === undefined;
    });
    console.log(`Asking the sound reducers all that the explorer asks.`);
    const asked = isThorough ? askAll(walks) : askAll(quickWalks, true);
    console.log(`${String(asked.questions.length)} questions.`);
    const missed: { mistake: Mistake; judgement: Judgement }[] = [];
    for (const mistake of compiling) {
      const judgement = await near(mistake, asked);
      if (judgement.wrong !== null)
        this.#found(mistake, "the explorer", judgement.wrong, judgement.differing);
      else missed.push({ mistake, judgement });
    }
    const unchanged = await this.#comparedTables(missed, asked);
    const tests = await startTests(root);
    const far: typeof missed = [];
    try {
      const failing = await tests.failingWith("", "");
      if (failing !== null) throw new Error(`A test fails though no mistake was planted: ${failing}`);
      const blatant = 'throw new Error("planted");';
      if ((await tests.failingWith(sources[0] ?? "", blatant)) === null)
        throw new Error("The tests do not read the files with the mistakes in them.");
      for (const one of unchanged) if (!(await this.#tested(one, tests))) far.push(one);
    } finally {
      await tests.close();
    }
    for (const { mistake, judgement } of far) {
      const wrong = isThorough ? (await suspect(mistake, asked)).judgeFar() : null;
      if (wrong !== null) this.#found(mistake, "the explorer, further on", wrong, judgement.differing);
      else this.#found(mistake, null, judgement.example, judgement.differing, isThorough);
    }
  }

  /** Those that change no line of the table. */
  async #comparedTables<T extends { mistake: Mistake; judgement: Judgement }>(
    missed: readonly T[],
    asked: Asked,
  ): Promise<T[]> {
    if (missed.length === 0) return [];
    const sound = decisionTable(godwit, tableBounds);
    const unchanged: T[] = [];
    for (const one of missed) {
      const { mistake, judgement } = one;
      const line = (await suspect(mistake, asked)).judgeTable(sound);
      if (line === null) unchanged.push(one);
      else this.#found(mistake, "the table of decisions", line, judgement.differing);
    }
    return unchanged;
  }

  async #tested(
    { mistake, judgement }: { mistake: Mistake; judgement: Judgement },
    tests: Tests,
  ): Promise<boolean> {
    const failing = await tests.failingWith(mistake.path, planted(mistake));
    if (failing !== null) this.#found(mistake, "the tests", failing, judgement.differing);
    return failing !== null;
  }

  #found(
    { id, line }: Mistake,
    caughtBy: Result["caughtBy"],
    what: string,
    differing: number | null,
    isFinal = true,
  ): void {
    const result: Result = { id, line, caughtBy, what: what.slice(0, 2000), differing };
    this.#results.set(id, result);
    this.#journal.add(result, isFinal);
    const how = caughtBy === null ? "NOT CAUGHT" : `${caughtBy}: ${what.slice(0, 100)}`;
    console.log(`${String(this.#results.size)}/${String(this.#of)} ${id.slice(0, 160)} — ${how}`);
  }
}

/** A program that cannot even be loaded shows its mistake. */
async function near(mistake: Mistake, asked: Asked): Promise<Judgement> {
  try {
    return (await suspect(mistake, asked)).judgeNear();
  } catch (error) {
    return { wrong: `it cannot be loaded: ${String(error)}`, differing: 0, example: "" };
  }
}

const suspect = async (mistake: Mistake, asked: Asked): Promise<Suspect> =>
  new Suspect(await reducersWith(mistake.path, planted(mistake)), asked);

/** @returns how many are neither caught nor listed as harmless, with the lines of the list that are out of date */
function report(results: readonly Result[]): number {
  const missed = results.filter(({ caughtBy }) => caughtBy === null);
  const unexplained = missed.filter(({ id }) => !(id in harmless));
  const outdated = results.filter(({ id, caughtBy }) => caughtBy !== null && id in harmless);
  for (const { id, line } of unexplained) console.log(`not caught: ${id} (line ${String(line)})`);
  for (const { id } of outdated) console.log(`listed as harmless, but caught: ${id}`);
  console.log(`\n${summaryOf(results, missed.length - unexplained.length, unexplained.length)}`);
  return unexplained.length + outdated.length;
}

function summaryOf(results: readonly Result[], isHarmless: number, unexplained: number): string {
  const by = judges.map((judge) => results.filter(({ caughtBy }) => caughtBy === judge).length);
  const [notCompiling = 0, explorer = 0, table = 0, tests = 0, further = 0] = by;
  const compiling = results.length - notCompiling;
  const decided = compiling - unexplained;
  const share = compiling === 0 ? 100 : Math.floor((1000 * decided) / compiling) / 10;
  return (
    `${String(results.length)} mistakes: ${String(notCompiling)} do not compile; of the ${String(compiling)} others the explorer ` +
    `catches ${String(explorer + further)}, the table of decisions ${String(table)}, the tests ${String(tests)}; ${String(isHarmless)} are harmless, ` +
    `${String(unexplained)} are not caught (${String(share)} % caught or harmless)`
  );
}

function figures(results: readonly Result[]): object {
  return {
    mistakes: results.length,
    caught: results.filter(({ caughtBy }) => caughtBy !== null).length,
    results: results.map((result) => ({ ...result, harmless: harmless[result.id] ?? null })),
  };
}

try {
  process.exitCode = await main();
} catch (error) {
  const isUsage =
    error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
  if (!isUsage) throw error;
  console.error(`${error.message}\n\n${usage}`);
  process.exitCode = 2;
}
