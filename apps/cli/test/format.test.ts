/** Quantities and tables for people. */
import { memoryMibSchema, vcpusSchema } from "@godwit/contract";
import { expect, test } from "vitest";
import {
  formatBytes,
  formatMs,
  formatTable,
  parseBitRate,
  parseMemory,
  parseMs,
  parseSeconds,
  parseVcpus,
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

test("memory and vCPUs of a VM are what the API takes, and the words say what that is", () => {
  for (const [text, mib] of [
    ["16MiB", 16],
    ["4TiB", 4_194_304],
  ] as const) {
    expect(parseMemory(text)).toBe(mib);
    expect(memoryMibSchema.safeParse(mib).success).toBe(true);
  }
  for (const text of ["15MiB", "4.1TiB"]) expect(() => parseMemory(text)).toThrow("write 16MiB to 4TiB");
  for (const mib of [15, 4_194_305]) expect(memoryMibSchema.safeParse(mib).success).toBe(false);
  expect([parseVcpus("1"), parseVcpus("288")]).toEqual([1, 288]);
  expect(vcpusSchema.safeParse(288).success).toBe(true);
  for (const text of ["0", "-1", "1.5", "289", "two", ""]) {
    expect(() => parseVcpus(text)).toThrow("write 1 to 288");
    expect(vcpusSchema.safeParse(Number(text === "" ? "x" : text)).success).toBe(false);
  }
});
