/** Levels of the psABI, as libcpuid's authors and the distributions count them. */
import { expect, test } from "vitest";
import { commonX86Level, fullReportText, reportOf, readCpuSource, x86LevelOf } from "../../src/index.ts";
import { cpuIn, dumpNamed, textOf } from "../collection.ts";
import { cpuWith, less } from "../evc/cpus.ts";

test.each([
  ["GenuineIntel0010676_Penryn_CPUID", "x86-64-v1"],
  ["GenuineIntel0020652_Clarkdale_CPUID", "x86-64-v2"],
  ["GenuineIntel00306C3_HaswellXeon_CPUID", "x86-64-v3"],
  ["GenuineIntel0050654_SkylakeXeon_CPUID", "x86-64-v4"],
  ["AuthenticAMD0800F12_K17_Zen_CPUID", "x86-64-v3"],
])("%s has %s", (name, level) => {
  expect(x86LevelOf(cpuIn(dumpNamed(name)))).toBe(level);
});

test("what is not known is no part of a level; a pool has the lowest", () => {
  const skylake = cpuWith("intel-skylake");
  const silent = { ...less(skylake, "bmi2"), unknown: new Set(["bmi2"]) };
  expect(x86LevelOf(silent)).toBe("x86-64-v2");
  expect(commonX86Level([skylake, silent])).toBe("x86-64-v2");
  expect(commonX86Level([])).toBeNull();
});

test("the text report says it", () => {
  const name = "GenuineIntel0050654_SkylakeXeon_CPUID";
  const report = reportOf(readCpuSource(textOf(dumpNamed(name)), name));
  expect(fullReportText(report)).toContain("Level of the x86-64 psABI : x86-64-v4\n");
});
