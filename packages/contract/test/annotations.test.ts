/** What people write of VMs: what is taken, and what becomes of the text of others. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  notesOf,
  notesSchema,
  tagChangesSchema,
  tagFilterSchema,
  tagsSchema,
} from "../src/schemas/annotations.ts";

test.each(["", "a b", "a,b", "-a", "ä", "a\n", "x".repeat(64)])("%j is no tag", (tag) => {
  expect(tagsSchema.safeParse([tag]).success).toBe(false);
  expect(tagFilterSchema.safeParse(tag === "a,b" ? "a,,b" : tag).success).toBe(false);
});

test("tags are words, few, and each once; the same one is not added and removed", () => {
  expect(tagsSchema.safeParse(["production", "team=web", "v1.2", "a/b:c"]).success).toBe(true);
  expect(tagsSchema.safeParse(["a", "a"]).success).toBe(false);
  expect(tagsSchema.safeParse(Array.from({ length: 33 }, (_, index) => `t${String(index)}`)).success).toBe(
    false,
  );
  expect(tagChangesSchema.safeParse({ add: ["a"], remove: ["a"] }).success).toBe(false);
});

test("notes are lines of text in any script, without what would move a terminal's cursor or turn its text around", () => {
  for (const text of ["one\ntwo\tthree", "Größe · 日本語 · 👩‍💻", "עברית"])
    expect(notesSchema.safeParse(text).success).toBe(true);
  for (const text of ["", "\u001b[2J", "a\rb", "a\u202eb", "\ud800", "\u0000", "x".repeat(4097)])
    expect(notesSchema.safeParse(text).success).toBe(false);
});

test("notes can be kept of any text that another product has", () => {
  const texts = fc.oneof(
    fc.string({ unit: "binary", maxLength: 300 }),
    fc
      .array(fc.constantFrom("a", "\n", "\r\n", "\u001b", "\ud83d\ude00", "\ud83d", " ", "\u0000"), {
        maxLength: 300,
      })
      .map((parts) => "x".repeat(3900) + parts.join("")),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const kept = notesOf(text);
      if (kept !== null) expect(notesSchema.safeParse(kept.notes).success).toBe(true);
    }),
  );
  expect(notesOf(" kept \r\nas it is ")).toEqual({ notes: "kept \nas it is", isWhole: true });
  expect(notesOf("a\u0007b")).toEqual({ notes: "ab", isWhole: false });
  expect(notesOf("\u0007 \n")).toBeNull();
});
