/** What others wrote reaches the terminal as letters, whatever they wrote. */
import { GodwitError } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { formatTable } from "../src/output/format.ts";
import { printable, printableJson } from "../src/output/printable.ts";
import { problemText } from "../src/output/problem.ts";

const attack = "a\x1b[2J\x1b]0;owned\x07\u202etxt\x9b31m\r";

test("control characters and changes of direction are shown, in tables, lines, errors and JSON", () => {
  const shown = "a\\x1b[2J\\x1b]0;owned\\x07\\u202etxt\\x9b31m\\x0d";
  expect(printable(attack)).toBe(shown);
  expect(printable("one\ntwo\tthree\r\n")).toBe("one\ntwo\tthree\r\n");
  expect(
    formatTable([
      ["NAME", "STATE"],
      [attack, "x\nb  running"],
    ]).split("\n"),
  ).toHaveLength(2);
  const error = GodwitError.of("HOST_UNREACHABLE", { host: "a", url: "https://a:1", reason: attack });
  expect(problemText(error)).toMatch(/\[2J.*\\u202etxt/);
  expect(problemText(error)).not.toMatch(/(?!\n)\p{Cc}|\u202e/u);
  expect(problemText(new Error(attack))).toContain(shown);
  const json = printableJson(JSON.stringify({ reason: attack }));
  expect(json).not.toMatch(/\p{Cc}|\u202e/u);
  expect(JSON.parse(json)).toEqual({ reason: attack });
});

test("whatever the text is, nothing of it moves the cursor, and JSON keeps its meaning", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
      expect(printable(text)).not.toMatch(/\r(?!\n)|(?![\r\n\t])\p{Cc}|[\u202a-\u202e]/u);
      expect(JSON.parse(printableJson(JSON.stringify(text)))).toBe(text);
    }),
  );
});
