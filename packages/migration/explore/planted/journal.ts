/**
 * What a campaign has found, a line for each mistake: one that was interrupted goes on where it was. What is caught stays
 * caught as long as the reducers and the explorer are the same; what is not is tried again when the tests have changed.
 */
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, globSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

export const judges = [
  "the compiler",
  "the explorer",
  "the table of decisions",
  "the tests",
  "the explorer, further on",
] as const;

export interface Result {
  readonly id: string;
  readonly line: number;
  readonly caughtBy: (typeof judges)[number] | null;
  /** What it was caught by: an error, what the explorer saw, a test's name; else what it changes. */
  readonly what: string;
  /** How many answers it changes, of those that the explorer asks for. */
  readonly differing: number | null;
}

interface Line extends Result {
  readonly code: string;
  readonly tests: string;
  /** Tried with everything. */
  readonly isFinal: boolean;
}

const digestOf = (root: string, patterns: readonly string[]): string => {
  const hash = createHash("sha256");
  for (const path of globSync(patterns.map((pattern) => join(root, pattern))).sort())
    hash.update(readFileSync(path));
  return hash.digest("hex").slice(0, 16);
};

export class Journal {
  readonly #path: string;
  readonly #code: string;
  readonly #tests: string;
  readonly #lines = new Map<string, Line>();
  #isNew = true;

  constructor(path: string, root: string) {
    this.#path = path;
    this.#code = digestOf(root, ["packages/migration/src/**/*.ts", "packages/migration/explore/*.ts"]);
    this.#tests = digestOf(root, ["packages/migration/test/*.ts"]);
    if (!existsSync(path)) return;
    for (const text of readFileSync(path, "utf8").split("\n")) {
      const line = lineIn(text);
      if (line?.code === this.#code) this.#lines.set(line.id, line);
    }
  }

  /** null: it is to be tried. */
  resultOf(id: string, isThorough: boolean): Result | null {
    const line = this.#lines.get(id);
    if (line === undefined) return null;
    if (line.caughtBy !== null) return line;
    return line.tests === this.#tests && (line.isFinal || !isThorough) ? line : null;
  }

  add(result: Result, isFinal: boolean): void {
    const line = { ...result, code: this.#code, tests: this.#tests, isFinal };
    mkdirSync(dirname(this.#path), { recursive: true });
    // A line that was being written when its campaign was killed stays by itself.
    const start = this.#isNew && existsSync(this.#path) ? "\n" : "";
    this.#isNew = false;
    appendFileSync(this.#path, `${start}${JSON.stringify(line)}\n`);
    this.#lines.set(result.id, line);
  }
}

/** null: the end of a campaign that was killed while it wrote. */
function lineIn(text: string): Line | null {
  try {
    return text === "" ? null : (JSON.parse(text) as Line);
  } catch {
    return null;
  }
}
