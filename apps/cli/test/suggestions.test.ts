/** Every command and every flag with one letter added, left out, replaced or swapped: what was meant is suggested. */
import { FlagNotFoundError, type Command, type CommandContext, type RouteMap } from "@stricli/core";
import { expect, test } from "vitest";
import { wholeApplication } from "../src/app.ts";
import { suggestionsFor } from "../src/output/suggestions.ts";
import { unknownCommandText, usageText } from "../src/output/usage.ts";
import { commandsAt, flagsAt } from "../src/word-tree.ts";

const { root } = await wholeApplication();
if (!("getAllEntries" in root)) throw new TypeError("the application is one command");

interface Place {
  words: string[];
  target: Command<CommandContext> | RouteMap<CommandContext>;
}

function placesUnder({ words, target }: Place): Place[] {
  if (!("getAllEntries" in target)) return [{ words, target }];
  const entries = target.getAllEntries().filter(({ hidden }) => !hidden);
  const under = entries.flatMap((entry) =>
    placesUnder({ words: [...words, entry.name["convert-camel-to-kebab"]], target: entry.target }),
  );
  return [{ words, target }, ...under];
}

const places = placesUnder({ words: [], target: root });

/** One slip of the fingers each. */
function slipsOf(name: string): string[] {
  const slips = Array.from({ length: name.length + 1 }, (_, at) => at).flatMap((at) => {
    const [before, here, after] = [name.slice(0, at), name[at] ?? "", name.slice(at + 1)];
    const next = after[0] ?? "";
    return [
      ...[here, "s", "x"].map((added) => before + added + here + after),
      before + after,
      `${before}${here === "" ? "" : "x"}${after}`,
      before + next + here + after.slice(1),
    ];
  });
  // A name is begun with a letter, and one letter alone is an alias.
  return [...new Set(slips)].filter((slip) => /^[a-z][a-z0-9-]+$/.test(slip) && !slip.endsWith("-"));
}

const meantIn = (text: string): string[] =>
  (/Did you mean (.*)\?/.exec(text)?.[1] ?? "").split(" or ").map((word) => word.replace(/^--|`/g, ""));

test("every flag of every command with one slip is suggested, and none that is farther away", () => {
  const commands = places.filter(({ target }) => !("getAllEntries" in target));
  expect(commands.length).toBeGreaterThan(50);
  const wrong = commands.flatMap(({ words }) => {
    const flags = flagsAt(root, words);
    return flags.flatMap((flag) =>
      slipsOf(flag)
        .filter((slip) => !flags.includes(slip))
        .filter((slip) => {
          const meant = meantIn(usageText(new FlagNotFoundError(slip, []), { words, flags }));
          // Another flag may be one slip away as well.
          return !meant.includes(flag) || !meant.every((one) => Math.abs(one.length - slip.length) <= 1);
        })
        .map((slip) => `${words.join(" ")}: --${slip} for --${flag}`),
    );
  });
  expect(wrong).toEqual([]);
});

test("every command with one slip is suggested", () => {
  const wrong = places.flatMap(({ words }) => {
    const names = commandsAt(root, words);
    return names.flatMap((name) =>
      slipsOf(name)
        .filter((slip) => !names.includes(slip) && !meantIn(unknownCommandText(slip, names)).includes(name))
        .map((slip) => `${[...words, slip].join(" ")} for ${name}`),
    );
  });
  expect(wrong).toEqual([]);
});

test("a word that is like no flag of the command gets no suggestion", () => {
  const unlike = ["colour", "quiet", "verbose", "umbrella", "zone", "xyzzy"];
  const wrong = places.flatMap(({ words }) =>
    flagsAt(root, words).length === 0
      ? []
      : unlike
          .filter((word) => suggestionsFor(word, flagsAt(root, words)).length > 0)
          .map((word) => `${words.join(" ")} --${word}`),
  );
  expect(wrong).toEqual([]);
});

test("a beginning of a name, and a name with more behind it, are that name", () => {
  expect(suggestionsFor("mem", ["memory", "json"])).toEqual(["memory"]);
  expect(suggestionsFor("bandwidth-mbps", ["bandwidth", "json"])).toEqual(["bandwidth"]);
  expect(suggestionsFor("m", ["memory", "json"])).toEqual([]);
});
