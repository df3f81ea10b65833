/**
 * Each finding is found somewhere where it really is so: by a test of the lab, or in the rack's story. A new one without that is a line in `not-shown.ts`, which
 * says why. That a test names a finding is all that can be read here; what it does, its reviewer sees.
 */
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { notShown } from "../reference/not-shown.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const textsOf = (pattern: string): string[] =>
  globSync(pattern, { cwd: root }).map((path) => readFileSync(`${root}${path}`, "utf8"));
/** Where a string begins with one. */
const codesIn = (texts: readonly string[]): Set<string> =>
  new Set(
    texts.flatMap((text) =>
      [...text.matchAll(/["'`]([A-Z]+(?:_[A-Z0-9]+)+)\b/g)].map(([, code = ""]) => code),
    ),
  );

const raised = codesIn(textsOf("packages/requirements/src/checks/*.ts"));
// A host that is told to report another CPU than it has shows none of them.
const tests = textsOf("tests/system/*.test.ts").filter((text) => !text.includes(".simulateCpu("));
const shown = codesIn([...tests, ...textsOf("rack/story/*.ts")]);

test("each finding is shown where it really is so, or it is said why not", () => {
  expect(raised.size).toBeGreaterThan(70);
  const without = [...raised].filter((code) => !shown.has(code)).sort();
  expect(without).toEqual(Object.keys(notShown).sort());
});
