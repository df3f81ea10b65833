/** Every dump of the InstLatx64 collection is read, and says the signature in its file's name. Needs the collection beside the checkout. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { readCpuSource, reportOf } from "../../src/index.ts";

const folder = new URL("../../../../../shared/data/cpuid/instlatx64/", import.meta.url);

const paths = existsSync(folder)
  ? readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith("_CPUID.txt") || /_CPUID\d*\.txt$/.test(path))
      .map((path) => fileURLToPath(new URL(`${folder.href}${encodeURI(path)}`)))
  : [];

describe.skipIf(paths.length === 0)("InstLatx64's dumps", () => {
  test("the collection is there", () => {
    expect(paths.length).toBeGreaterThan(150);
  });

  test.each(paths.map((path) => [basename(path), path] as const))("%s", (name, path) => {
    const source = readCpuSource(readFileSync(path, "latin1"), name);
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
    // What says no to a feature is a bit or a highest leaf: nothing is unknown of a leaf that is told.
    const told = new Set(report.leaves.map((one) => one.leaf));
    if (told.has("0x00000007")) expect(report.unknownFeatures).not.toContain("avx2");
  });
});
