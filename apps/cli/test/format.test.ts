/** Quantities and tables for people. */
import { expect, test } from "vitest";
import {
  formatBytes,
  formatMs,
  formatTable,
  parseBitRate,
  parseMs,
  parseSeconds,
} from "../src/output/format.ts";

test("quantities are written as people read them", () => {
  expect([0, 1023, 1536, 200 * 1024, 3 * 2 ** 30].map(formatBytes)).toEqual([
    "0 B",
    "1023 B",
    "1.5 KiB",
    "200 KiB",
    "3.0 GiB",
  ]);
  expect([null, 7.25, 250, 1530, 90_000].map(formatMs)).toEqual([
    "unknown",
    "7.3 ms",
    "250 ms",
    "1.53 s",
    "1 min 30 s",
  ]);
});

test("times and rates are read with their units, and nothing else is", () => {
  expect([parseMs("50"), parseMs("50ms"), parseMs("1.5s")]).toEqual([50, 50, 1500]);
  expect([parseBitRate("1gbit"), parseBitRate("250Mbit")]).toEqual([1e9, 2.5e8]);
  expect(() => parseMs("fast")).toThrow(/50ms/);
  expect([parseSeconds("30"), parseSeconds("30s"), parseSeconds("2min")]).toEqual([30, 30, 120]);
  expect(() => parseSeconds("soon")).toThrow(/2min/);
  expect(() => parseBitRate("1 gigabit")).toThrow(/1gbit/);
});

test("columns are as wide as their widest cell", () => {
  expect(
    formatTable([
      ["A", "B"],
      ["long", "x"],
    ]),
  ).toBe("A     B\nlong  x");
});
