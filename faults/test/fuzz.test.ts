/** No text of a less trusted side makes its reader throw. `npm run fuzz` tries as many as one has time for. */
import { parseJson } from "@godwit/contract";
import { expect, test } from "vitest";
import { fuzz } from "../fuzz/fuzz.ts";
import { fuzzOverHttp } from "../fuzz/over-http.ts";
import { targets } from "../fuzz/targets.ts";

test.for(targets)("$name: 3,000 texts, none of which throws", (target) => {
  expect(fuzz(target, 3000, 20_261_128)).toEqual([]);
});

test("a field `length` that no text or list has is refused, and not compared", async () => {
  const text = '{"name": {"length": {"toString": 1}}}';
  for (const { read } of targets) for (let n = 0; n < 20; n += 1) read(text, n);
  expect(() => parseJson(text)).toThrow(SyntaxError);
  expect(() => parseJson(text.replace("length", "l\\u0065ngth"))).toThrow(SyntaxError);
  expect(parseJson('{"length": 3, "lengths": {}}')).toEqual({ length: 3, lengths: {} });
});

test("300 requests over real connections, each of which is answered", async () => {
  expect(await fuzzOverHttp(300, 20_261_128)).toEqual([]);
});

test("a reader that throws is found", () => {
  const read = (text: string) => void JSON.parse(text);
  expect(fuzz({ name: "JSON", samples: ['{"a":1}'], read }, 1000, 1)).toHaveLength(10);
});
