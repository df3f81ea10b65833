/** A VM whose features are known: only they matter, and what a destination has more is not looked at. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { commonBaseline } from "../../src/compare/common-baseline.ts";
import { executesHidden } from "../../src/compare/hidden.ts";
import { compareForBaseline, evcModes, featureNamed, features } from "../../src/index.ts";
import { baselineOf } from "../../src/evc/baseline.ts";
import { cpuWith, less, plainCpu } from "../evc/cpus.ts";

describe("with a baseline", () => {
  const seen = [...cpuWith("intel-penryn").features];

  test("a VM with Penryn's features goes to any later Intel host", () => {
    for (const mode of ["intel-penryn", "intel-haswell", "intel-icelake"])
      expect(compareForBaseline(seen, cpuWith(mode))).toEqual({ verdict: "may", lacking: [], unknown: [] });
  });

  test("it does not go to a Merom, and is told what is lacking there and why", () => {
    expect(
      compareForBaseline(seen, cpuWith("intel-merom", { label: "old", family: 6, model: 15 })),
    ).toMatchObject({
      verdict: "may-not",
      lacking: [{ feature: "sse4.1", place: "CPUID.1:ECX[19]", likely: { kind: "generation" } }],
    });
  });

  test("what is not told of the destination is not taken for a yes", () => {
    const silent = { ...less(cpuWith("intel-penryn"), "nx"), unknown: new Set(["nx"]) };
    expect(compareForBaseline(seen, silent)).toEqual({ verdict: "unknown", lacking: [], unknown: ["nx"] });
    // Neither is a feature that a newer Godwit stored.
    expect(compareForBaseline(["of-tomorrow"], cpuWith("intel-penryn")).verdict).toBe("unknown");
  });

  test("what KVM gives by itself needs no hardware", () => {
    expect(compareForBaseline(["hypervisor", "x2apic", "tsc-deadline"], plainCpu).verdict).toBe("may");
  });

  test("a move is allowed exactly where the VM's set is part of the destination's (property)", () => {
    const names = features
      .filter(({ runtime }) => !runtime)
      .map(({ name }) => name)
      .filter((name) => compareForBaseline([name], plainCpu).verdict === "may-not");
    expect(names.length).toBeGreaterThan(200);
    fc.assert(
      fc.property(fc.subarray(names), fc.subarray(names), (vm, host) => {
        const lacking = vm.filter((name) => !host.includes(name));
        const comparison = compareForBaseline(vm, { ...plainCpu, features: new Set(host) });
        expect(comparison.lacking.map(({ feature }) => feature)).toEqual(lacking);
        expect(comparison.verdict).toBe(lacking.length === 0 ? "may" : "may-not");
      }),
    );
  });
});

test("the baseline that a comparison names is that of godwit cpu baseline", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...evcModes.map(({ key }) => key)), { minLength: 1, maxLength: 4 }),
      fc.subarray(["spec-ctrl", "ssbd", "md-clear"]),
      (keys, microcode) => {
        const cpus = keys.map((key) => cpuWith(key, { features: microcode }));
        const whole = baselineOf(cpus);
        const common = commonBaseline(cpus);
        expect(common?.evcMode).toBe(whole.mode?.key);
        expect(common?.qemuCpu ?? null).toBe(whole.cpuString);
      },
    ),
  );
});

test("only instructions that nothing stops can be executed though hidden", () => {
  const executes = (name: string, vendor: string) => {
    const feature = featureNamed(name);
    return feature !== undefined && executesHidden(feature, vendor);
  };
  for (const name of ["sse4.1", "popcnt", "aes", "bmi2", "adx", "abm", "sha-ni", "clflushopt"])
    expect(executes(name, "GenuineIntel"), name).toBe(true);
  for (const name of [
    "avx",
    "avx2",
    "avx512f",
    "pku",
    "fsgsbase",
    "rdtscp",
    "rdpid",
    "erms",
    "smep",
    "nx",
    "est",
  ])
    expect(executes(name, "GenuineIntel"), name).toBe(false);
  // AMD's hardware has no trap for them.
  expect(["GenuineIntel", "AuthenticAMD"].map((vendor) => executes("rdrand", vendor))).toEqual([false, true]);
});
