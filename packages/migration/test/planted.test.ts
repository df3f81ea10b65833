/** Mistakes that a program plants into the reducers: where it finds places for them, and that one shows. */
import { execFile } from "node:child_process";
import { globSync } from "node:fs";
import { join, resolve } from "node:path";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { harmless } from "../explore/planted/harmless.ts";
import { mistakesIn } from "../explore/planted/sites.ts";

const root = resolve(import.meta.dirname, "../../..");
const explorer = join(root, "packages/migration/explore/planted");
const mistakes = globSync(join(root, "packages/migration/src/handoff/*.ts")).flatMap(mistakesIn);

test("every condition, effect and list of phases is a place for a mistake, and each has a name of its own", () => {
  const kinds = Map.groupBy(mistakes, ({ kind }) => kind);
  for (const kind of ["negated", "left out", "shortened", "widened"] as const)
    expect(kinds.get(kind)?.length ?? 0).toBeGreaterThan(15);
  expect(new Set(mistakes.map(({ id }) => id)).size).toBe(mistakes.length);
});

test("what is listed as harmless can still be planted", () => {
  const ids = new Set(mistakes.map(({ id }) => id));
  expect(Object.keys(harmless).filter((id) => !ids.has(id))).toEqual([]);
});

/** A campaign of the mistakes whose id contains one of some texts, with a journal of its own. */
async function campaign(only: readonly string[], journal: string): Promise<Map<string, string | null>> {
  const json = `${journal}.json`;
  const options = [
    "--quick",
    ...only.flatMap((text) => ["--only", text]),
    "--journal",
    journal,
    "--json",
    json,
  ];
  // Not caught: exit code 1.
  await promisify(execFile)(process.execPath, [join(explorer, "main.ts"), ...options]).catch(() => null);
  const { results } = JSON.parse(await readFile(json, "utf8")) as {
    results: { id: string; caughtBy: string | null }[];
  };
  return new Map(results.map(({ id, caughtBy }) => [id, caughtBy]));
}

test("a campaign says who catches each mistake, and one that was interrupted goes on where it was", async () => {
  const folder = await mkdtemp(join(tmpdir(), "godwit-planted-"));
  try {
    const journal = join(folder, "journal.jsonl");
    const only = ["negated: question.number", "negated: question.ask"];
    const found = await campaign(only, journal);
    expect(found.get("lease.ts: negated: question.number < by")).toBe("the explorer");
    expect(found.get('lease.ts: negated: question.ask !== "fence"')).toBe("the compiler");
    // Killed while it wrote its last line.
    const lines = (await readFile(journal, "utf8")).trimEnd().split("\n");
    expect(lines).toHaveLength(found.size);
    await writeFile(journal, `${lines.slice(0, -1).join("\n")}\n{"id":"le`);
    expect(await campaign(only, journal)).toEqual(found);
    const [again] = (await readFile(journal, "utf8")).trimEnd().split("\n").slice(-1);
    expect(again).toBe(lines.at(-1));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
