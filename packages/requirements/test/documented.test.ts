/** The operators' pages name every finding of the checks, and no code that there is not. */
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { catalogue } from "@godwit/contract";
import { expect, test } from "vitest";
import { chapters } from "../reference/samples.ts";

const read = (pattern: string, folder: URL): string =>
  globSync(pattern, { cwd: fileURLToPath(folder) })
    .map((path) => readFileSync(new URL(path, folder), "utf8"))
    .join("\n");
const root = new URL("../../../", import.meta.url);
const pages = read("docs/operators/*.md", root) + read("README.md", root);
const page = read("docs/operators/moving.md", root);

/** Names of codes in a text, as they stand in quotes of its kind. */
const codesIn = (text: string, quote: string): string[] => [
  ...new Set(
    [...text.matchAll(new RegExp(`${quote}([A-Z]+(?:_[A-Z0-9]+)+)${quote}`, "g"))].map(
      ([, code = ""]) => code,
    ),
  ),
];

test("every finding that forbids a move or warns of it has its place on the page about moves", () => {
  const raised = codesIn(read("src/checks/*.ts", new URL("../", import.meta.url)), '"');
  expect(raised.length).toBeGreaterThan(30);
  expect(raised.filter((code) => !codesIn(page, "`").includes(code))).toEqual([]);
});

test("the page of reference shows each finding that the checks raise, once", () => {
  const raised = codesIn(read("src/checks/*.ts", new URL("../", import.meta.url)), '"');
  const shown = Object.values(chapters).flatMap((samples) => samples.map(({ finding }) => finding.code));
  expect(new Set(shown).size).toBe(shown.length);
  expect(raised.filter((code) => !shown.includes(code))).toEqual([]);
});

test("every code that the pages name is in the catalogue", () => {
  const named = codesIn(pages, "`").filter((code) => !code.startsWith("GODWIT_"));
  expect(named.length).toBeGreaterThan(50);
  expect(named.filter((code) => !(code in catalogue))).toEqual([]);
});
