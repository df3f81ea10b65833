/** Mistakes that a program plants into the reducers: where it finds places for them, and that one shows. */
import { execFile } from "node:child_process";
import { globSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { harmless } from "../explore/planted/harmless.ts";
import { mistakesIn, planted, type Mistake } from "../explore/planted/sites.ts";

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

async function trial(mistake: Mistake | null): Promise<unknown> {
  const text = mistake === null ? {} : { path: mistake.path, text: planted(mistake) };
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--import", join(explorer, "hook.ts"), join(explorer, "trial.ts"), "faultless"],
    { env: { ...process.env, GODWIT_PLANTED: JSON.stringify(text) } },
  );
  return JSON.parse(stdout);
}

test("a lease that takes an old question for a new one is found, and the sound one is not", async () => {
  const overtaken = mistakes.find(({ id }) => id === "lease.ts: negated: question.number < by");
  expect(overtaken).toBeDefined();
  expect(await trial(overtaken ?? null)).toMatchObject({ wrong: expect.stringMatching(/./) as string });
  expect(await trial(null)).toMatchObject({ wrong: null });
});
