/** What becomes of the sources in a package. */
import { expect, test } from "vitest";
import { javascriptOf, manifestOf, scriptName } from "../javascript.ts";

test("types go, imports name what is there, and lines stay where they were", () => {
  const source = [
    'import { a, type A } from "./a.ts";',
    'import type { B } from "../b.ts";',
    'export * from "./c.ts";',
    "export const x = async (b: B): Promise<A> => {",
    '  const { y } = await import("./deep/y.ts");',
    '  new Worker(new URL("worker.ts", import.meta.url));',
    '  return a(y, b, "a file named x.ts");',
    "};",
  ].join("\n");
  const result = javascriptOf(source).split("\n");
  expect(result[0]).toMatch(/^import \{ a,? +\} from "\.\/a\.js";$/);
  expect(result[1]?.trim()).toBe("");
  expect(result[2]).toBe('export * from "./c.js";');
  expect(result[4]).toBe('  const { y } = await import("./deep/y.js");');
  expect(result[5]).toBe('  new Worker(new URL("worker.js", import.meta.url));');
  expect(result[6]).toContain('"a file named x.ts"');
  expect(result).toHaveLength(8);
});

test("a manifest's exports name what is there", () => {
  const manifest = { exports: { ".": "./src/index.ts", "./files": "./src/files.ts" } };
  expect(JSON.parse(manifestOf(JSON.stringify(manifest)))).toEqual({
    exports: { ".": "./src/index.js", "./files": "./src/files.js" },
  });
  expect(scriptName("src/index.ts")).toBe("src/index.js");
  expect(scriptName("src/launch-qemu.pl")).toBe("src/launch-qemu.pl");
});
