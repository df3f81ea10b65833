/** Each dump of InstLatx64's is read, and says the signature in its file's name. */
import { describe, expect, test } from "vitest";
import { readCpuSource, reportOf } from "../../src/index.ts";
import { instlatx64Dumps, isWiderRun, textOf } from "../collection.ts";

describe("InstLatx64's dumps", () => {
  test("are there", () => {
    expect(instlatx64Dumps.length).toBeGreaterThan(isWiderRun ? 150 : 25);
  });

  test.each(instlatx64Dumps)("$name", (dump) => {
    const { name } = dump;
    const source = readCpuSource(textOf(dump), name);
    const report = reportOf(source);
    expect(report.format).toBe("aida64");
    // Like GenuineIntel00306F2_HaswellEP_CPUID: the vendor and leaf 1's EAX.
    const [, vendor = "", signature = ""] = /^(.{12})([0-9A-F]{7})_/.exec(name) ?? [];
    expect(report.vendor).toBe(vendor);
    const eax = report.leaves.find((one) => one.leaf === "0x00000001")?.eax;
    expect(eax).toBe(`0x0${signature.toLowerCase()}`);
    expect(source.cpus[0]?.leaves.length).toBeGreaterThan(1);
    // All cores of these parts are alike, but for kinds of cores.
    if (!report.features.includes("hybrid")) expect(report.coreDifferences).toEqual([]);
    // What says no to a feature is a bit or a highest leaf: nothing is unknown of a leaf that is given.
    const told = new Set(report.leaves.map((one) => one.leaf));
    if (told.has("0x00000007")) expect(report.unknownFeatures).not.toContain("avx2");
  });
});
