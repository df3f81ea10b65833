/** What stories install without a network. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { base, needed } from "../../packaging/story/debian-root.ts";

test("every package that Godwit's depend on is in the root of a story's machine, or in apt's cache there", async () => {
  const control = await readFile(join(import.meta.dirname, "../../packaging/debian/control"), "utf8");
  const depends = [...control.matchAll(/^Depends: (.*)$/gm)].flatMap(([, list = ""]) => list.split(", "));
  const names = depends.filter((one) => !/^\$|^godwit\b/.test(one));
  expect(names).toContain("qemu-system-x86");
  expect(names.filter((name) => ![...base, ...needed].includes(name))).toEqual([]);
});
