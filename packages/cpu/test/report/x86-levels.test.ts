/** Levels of the psABI, as libcpuid's authors and the distributions count them. */
import { expect, test } from "vitest";
import { commonX86Level, fullReportText, reportOf, readCpuSource, x86LevelOf } from "../../src/index.ts";
import { archCapabilitiesOf } from "../../src/report/arch-capabilities.ts";
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

test("the text report says it, and what ARCH_CAPABILITIES holds", () => {
  const name = "GenuineIntel0050654_SkylakeXeon_CPUID";
  const report = reportOf(readCpuSource(textOf(dumpNamed(name)), name));
  const text = fullReportText({ ...report, msrs: [{ msr: "0x0000010a", value: "0x0000000000000129" }] });
  expect(text).toContain("Level of the x86-64 psABI : x86-64-v4\n");
  expect(text).toContain("ARCH_CAPABILITIES : rdctl-no, skip-l1dfl-vmentry, mds-no, taa-no\n");
  const high = (1n << 20n) | (1n << 26n) | (1n << 62n) | (1n << 63n);
  expect(archCapabilitiesOf([{ msr: 0x10a, value: high }])).toEqual(["bhi-no", "gds-no", "its-no"]);
  expect(archCapabilitiesOf([])).toBeNull();
});
