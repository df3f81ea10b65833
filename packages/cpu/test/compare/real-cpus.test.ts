/** Comparisons of CPUs that were built, by their dumps; and libvirt's opinion. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { describeWith } from "../../../../test-kit/src/describe-with.ts";
import { compareCpus, featureNamed, type Cpu } from "../../src/index.ts";
import { cpuIn, dumpNamed, testData } from "../collection.ts";
import { less, plainCpu } from "../evc/cpus.ts";

const intel = "GenuineIntel";
const amd = "AuthenticAMD";
const dump = (name: string, label: string): Cpu => cpuIn(dumpNamed(name), label);

describe("dumps of real CPUs", () => {
  test("a Penryn and a Conroe", () => {
    const comparison = compareCpus(
      dump(`${intel}0010676_Penryn_CPUID`, "penryn"),
      dump(`${intel}00006F6_Conroe_CPUID`, "conroe"),
    );
    expect(comparison.aToB.verdict).toBe("may-not");
    expect(comparison.bToA.verdict).toBe("may-not");
    expect(comparison.differences.filter(({ rule }) => rule === "user")).toMatchObject([
      { feature: "sse4.1", a: true, b: false, likely: { kind: "generation" } },
    ]);
    expect(comparison.baseline?.evcMode).toBe("intel-merom");
  });

  test("a Haswell-EP with AES off takes the pool of a Broadwell down to Nehalem", () => {
    const comparison = compareCpus(
      dump(`${intel}00306F2_HaswellEP_CPUID`, "haswell"),
      dump(`${intel}00406F1_BroadwellE_CPUID`, "broadwell"),
    );
    const aes = comparison.differences.find(({ feature }) => feature === "aes");
    expect(aes).toMatchObject({ a: false, b: true, likely: { kind: "firmware" } });
    expect(comparison.baseline?.evcMode).toBe("intel-nehalem");
  });

  test("an Intel and an AMD", () => {
    const comparison = compareCpus(
      dump(`${intel}00306F2_HaswellEP_CPUID`, "intel"),
      dump(`${amd}0800F12_K17_Zen_CPUID`, "amd"),
    );
    expect(comparison.compatible).toBe(false);
    expect(comparison.baseline).toBeNull();
  });

  test("a report that was made inside a VM, and the same model of CPU bare: not known is not allowed", () => {
    const inside = cpuIn(
      { name: "report", path: join(testData, "vmware-report-i7-6500u-in-vm.txt") },
      "inside",
    );
    const bare = dump("intel-core-i7-6500u-cpu", "bare");
    const comparison = compareCpus(inside, bare);
    expect(comparison.compatible).toBe(false);
    const of = (name: string) => comparison.differences.find(({ feature }) => feature === name);
    expect(of("monitor")).toMatchObject({ a: false, b: true, likely: { kind: "virtual" } });
    expect(of("avx2")).toMatchObject({ a: null, b: true, aToB: "unknown", likely: { kind: "source" } });
    expect(comparison.warnings[0]).toContain("inside a VM");
  });

  test.each([
    `${intel}0010676_Harpertown_CPUID`,
    `${intel}0050654_SkylakeXeon_CPUID`,
    `${intel}0050657_CascadeLakeX_CPUID1`,
  ])("%s is like itself", (name) => {
    expect(compareCpus(dump(name, "a"), dump(name, "b"))).toMatchObject({
      compatible: true,
      differences: [],
    });
  });

  test("an EPYC Milan with and without STIBP: what a baseline shows to guests is compared", () => {
    const milan = dump(`${amd}0A00F11_K19_Milan_CPUID1`, "with");
    const without = { ...less(milan, "amd-stibp"), label: "without" };
    const { aToB, bToA } = compareCpus(milan, without);
    expect([aToB.verdict, bToA.verdict]).toEqual(["may-not", "may"]);
    expect(aToB.reasons.join()).toContain("amd-stibp");
  });

  test("a dump without leaf 0xD's second part is not known to be like another of the same kind", () => {
    const name = `${amd}0600F12_Interlagos_CPUID`;
    const { aToB, differences, untold } = compareCpus(dump(name, "a"), dump(name, "b"));
    expect({ verdict: aToB.verdict, differences }).toEqual({ verdict: "unknown", differences: [] });
    expect(untold).toContain("xsaveopt");
  });
});

const virshWorks = (() => {
  try {
    execFileSync("virsh", ["-c", "test:///default", "version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

describeWith("libvirt's baseline of two models", virshWorks ? null : "virsh is not installed", () => {
  /** All features of the baseline of these models, as libvirt computes it, by our names. */
  function baseline(models: readonly string[]): Set<string> {
    const folder = mkdtempSync(join(tmpdir(), "godwit-baseline-"));
    try {
      const file = join(folder, "cpus.xml");
      const vendor = models.some((model) => /Opteron|EPYC/.test(model)) ? "AMD" : "Intel";
      writeFileSync(
        file,
        models
          .map((model) => `<cpu><arch>x86_64</arch><model>${model}</model><vendor>${vendor}</vendor></cpu>`)
          .join("\n"),
      );
      const xml = execFileSync("virsh", ["-c", "test:///default", "cpu-baseline", "--features", file], {
        encoding: "utf8",
      });
      const required = [...xml.matchAll(/<feature policy='require' name='([^']+)'/g)];
      return new Set(required.flatMap(([, name = ""]) => featureNamed(name)?.name ?? []));
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  const cpuOfModel = (model: string, vendor: string): Cpu => ({
    ...plainCpu,
    label: model,
    vendor,
    features: baseline([model]),
  });

  test.each([
    ["Penryn", "Conroe", "GenuineIntel"],
    ["SandyBridge", "Westmere", "GenuineIntel"],
    ["Haswell-noTSX", "Nehalem", "GenuineIntel"],
    ["Skylake-Server-noTSX-IBRS", "Broadwell-noTSX", "GenuineIntel"],
    ["Opteron_G2", "Opteron_G3", "AuthenticAMD"],
    ["EPYC", "Opteron_G5", "AuthenticAMD"],
  ])("%s and %s have in common what does not differ", (one, other, vendor) => {
    const [a, b] = [cpuOfModel(one, vendor), cpuOfModel(other, vendor)];
    const differing = new Set(compareCpus(a, b).differences.map(({ feature }) => feature));
    const common = [...a.features].filter((feature) => !differing.has(feature)).sort();
    expect(common).toEqual([...baseline([one, other])].sort());
    expect(differing.size).toBeGreaterThan(0);
  });
});
