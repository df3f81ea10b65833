/** The baseline that a comparison names, and what can be executed though it is hidden. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { commonBaseline } from "../../src/compare/common-baseline.ts";
import { executesWhenHidden } from "../../src/compare/hidden-instructions.ts";
import { evcModes, featureNamed } from "../../src/index.ts";
import { baselineOf } from "../../src/evc/baseline.ts";
import { cpuWith } from "../evc/cpus.ts";

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
    return feature !== undefined && executesWhenHidden(feature, vendor);
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
