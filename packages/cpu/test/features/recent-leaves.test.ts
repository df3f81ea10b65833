/** What the leaves of recent CPUs tell: AMX beyond leaf 7, AVX10's vectors, SRSO, performance monitoring version 2. */
import { expect, test } from "vitest";
import { compareCpus, cpuOf, featureNamed, readCpuSource, reportOf } from "../../src/index.ts";

const intel = "eax=0x%0 ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69";
const amd = "eax=0x%0 ebx=0x68747541 ecx=0x444d4163 edx=0x69746e65";

/** A raw dump: `LEAF.SUBLEAF REGISTER VALUE`; all other words are 0. */
function report(vendor: string, highest: number, words: Readonly<Record<string, Record<string, number>>>) {
  const hex = (value: number): string => (value >>> 0).toString(16).padStart(8, "0");
  const lines = Object.entries(words).map(([place, registers]) => {
    const [leaf = "0", subleaf = "0"] = place.split(".");
    const texts = ["eax", "ebx", "ecx", "edx"].map((name) => `${name}=0x${hex(registers[name] ?? 0)}`);
    return `   0x${leaf.padStart(8, "0")} 0x${subleaf.padStart(2, "0")}: ${texts.join(" ")}`;
  });
  const first = `   0x00000000 0x00: ${vendor.replace("0x%0", `0x${hex(highest)}`)}`;
  return reportOf(readCpuSource(["CPU 0:", first, ...lines].join("\n"), "dump"));
}

test("leaf 0x1E.1 and leaf 0x24 are read", () => {
  const { features } = report(intel, 0x24, {
    "1.0": { eax: 0xa06d1, ecx: 0x0c000000, edx: 0x1 },
    "7.0": { eax: 1, edx: 1 << 24 },
    "7.1": { edx: 1 << 19 },
    "1e.0": { eax: 1 },
    "1e.1": { eax: 0x1d0 },
    "24.0": { ebx: 0x00070001 },
  });
  expect(features).toEqual(expect.arrayContaining(["amx-fp8", "amx-tf32", "amx-avx512", "amx-movrs"]));
  expect(features).toEqual(expect.arrayContaining(["avx10", "avx10-128", "avx10-256", "avx10-512"]));
});

test("a CPU without tiles or AVX10 lacks them, whether its dump has the empty leaves or leaves some out", () => {
  const bare = { "1.0": { eax: 0x50654, edx: 1 }, "7.0": { eax: 1 }, "7.1": {} };
  for (const words of [
    { ...bare, "24.0": {} },
    { ...bare, "1e.0": {}, "24.0": {} },
  ]) {
    const { features, unknownFeatures } = report(intel, 0x24, words);
    const names = ["amx-fp8", "amx-movrs", "avx10", "avx10-128", "avx10-512"];
    expect(names.filter((name) => features.includes(name) || unknownFeatures.includes(name))).toEqual([]);
  }
});

test("AMD's bits of SRSO and of performance monitoring are read, and refuse no move", () => {
  const words = { "1.0": { eax: 0xb00f21, edx: 1 }, "80000000.0": { eax: 0x80000022 } };
  const having = report(amd, 0x10, {
    ...words,
    "80000021.0": { eax: 0x78000000 },
    "80000022.0": { eax: 0x7 },
  });
  const names = ["sbpb", "ibpb-brtype", "srso-no", "srso-user-kernel-no"];
  expect(having.features).toEqual(
    expect.arrayContaining([...names, "perfmon-v2", "amd-lbr-v2", "amd-lbr-pmc-freeze"]),
  );
  const lacking = report(amd, 0x10, { ...words, "80000021.0": {}, "80000022.0": {} });
  const { differences } = compareCpus(cpuOf(having, "A"), cpuOf(lacking, "B"));
  const [first] = differences.filter(({ feature }) => feature === "srso-no");
  expect(first).toMatchObject({ rule: "hidden", aToB: "may", bToA: "may", place: "CPUID.80000021:EAX[29]" });
  expect(featureNamed("perfmon_v2")?.name).toBe("perfmon-v2");
});
