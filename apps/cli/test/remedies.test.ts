/** Commands that sentences and remedies name exist, with the flags that they name. */
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Command, CommandContext, RouteMap } from "@stricli/core";
import { expect, test } from "vitest";
import { wholeApplication } from "../src/app.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const sources = globSync(["packages/*/src/**/*.ts", "apps/*/src/**/*.ts"], { cwd: root }).filter(
  (path) =>
    !path.startsWith("apps/cli/src/commands/") && // their examples are their own
    path !== "apps/cli/src/completion-scripts.ts", // the shells' own language
);

/** `godwit`, and what follows it up to the end of the sentence's part: words, flags, and what a template fills in. */
const mention = /(?<![\w./@-])godwit((?: (?:\$\{[^}]*\}|--[a-z][a-z-]*|[A-Za-z0-9.=_/-]+))+)/g;

/** `godwit` as the name of a program, a user or the product, with prose after it. */
const notCommands = new Set(["test", "itself"]);

function mentions(): { where: string; words: string[] }[] {
  return sources.flatMap((path) =>
    readFileSync(`${root}/${path}`, "utf8")
      .split("\n")
      .filter((line) => !/^\s*(?:\/?\*|\/\/)/.test(line))
      .flatMap((line) =>
        [...line.matchAll(mention)].map(([, rest = ""]) => ({
          where: `${path}: godwit${rest}`,
          words: rest
            .trim()
            .split(/ (?![^{]*\})/)
            .map((word) => word.replace(/[.,;:]+$/, "")),
        })),
      )
      .filter(({ words: [first = ""] }) => !notCommands.has(first)),
  );
}

type Target = Command<CommandContext> | RouteMap<CommandContext>;

const camel = (word: string): string =>
  word.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** @returns what is wrong with it; null: there is such a command, with such flags */
function problemOf(words: readonly string[], application: Target): string | null {
  let target: Target = application;
  let at = 0;
  while ("getRoutingTargetForInput" in target) {
    const word = words[at] ?? "";
    if (word === "--help" || word.startsWith("$") || (at > 0 && word === "")) return null;
    const next = target.getRoutingTargetForInput(camel(word));
    if (next === undefined) return `there is no command ${words.slice(0, at + 1).join(" ")}`;
    target = next;
    at += 1;
  }
  const command = target;
  const unknown = words
    .slice(at)
    .filter((word) => word.startsWith("--") && word !== "--help")
    .find((word) => !command.usesFlag(camel(word.slice(2)), "original"));
  return unknown === undefined ? null : `${words.slice(0, at).join(" ")} has no flag ${unknown}`;
}

test("every command that a sentence or a remedy names can be typed as it stands there", async () => {
  const { root: application } = await wholeApplication();
  const found = mentions();
  expect(found.length).toBeGreaterThan(50);
  const wrong = found.flatMap(({ where, words }) => {
    const problem = problemOf(words, application);
    return problem === null ? [] : [`${where}: ${problem}`];
  });
  expect(wrong).toEqual([]);
  // The test itself sees what is wrong.
  expect(problemOf(["vm", "fly"], application)).toBe("there is no command vm fly");
  expect(problemOf(["vm", "list", "--colour"], application)).toBe("vm list has no flag --colour");
});
