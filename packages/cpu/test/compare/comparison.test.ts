/** Two CPUs beside each other: stories that administrators know, and the rules against brute force over bits. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  compareCpus,
  microcodeFeatures,
  cpuOf,
  featureNamed,
  features,
  msrFeatures,
  type Cpu,
  type CpuComparison,
  type CpuFeature,
  type CpuidLeaf,
} from "../../src/index.ts";
import { judge, ruleOf } from "../../src/compare/rules.ts";
import { readCpuSource } from "../../src/formats/read-cpu-source.ts";
import { reportOf } from "../../src/report/report.ts";
import { cpuWith, less, plainCpu } from "../evc/cpus.ts";
import { harpertownReport } from "../formats/dumps.ts";

const difference = (comparison: CpuComparison, feature: string) => {
  const found = comparison.differences.find((one) => one.feature === feature);
  if (found === undefined) throw new Error(`${feature} does not differ`);
  return found;
};
const verdicts = ({ aToB, bToA }: CpuComparison) => [aToB.verdict, bToA.verdict];

describe("stories", () => {
  test("a Penryn and a Conroe: SSE4.1 closes both ways, and intel-merom makes one pool of both", () => {
    const comparison = compareCpus(
      cpuWith("intel-penryn", { label: "penryn" }),
      cpuWith("intel-merom", { label: "conroe" }),
    );
    expect(verdicts(comparison)).toEqual(["may-not", "may-not"]);
    expect(comparison.compatible).toBe(false);
    expect(comparison.differences).toMatchObject([
      {
        feature: "sse4.1",
        vmware: "SSE41",
        leaf: 1,
        subleaf: 0,
        register: "ecx",
        bit: 19,
        place: "CPUID.1:ECX[19]",
        level: "user",
        a: true,
        b: false,
        rule: "user",
        aToB: "may-not",
        bToA: "may-not",
      },
    ]);
    expect(comparison.aToB.reasons.join(" ")).toContain("sse4.1");
    expect(comparison.baseline).toMatchObject({
      evcMode: "intel-merom",
      qemuCpu: "Conroe-v1,+cx16,enforce",
    });
  });

  test("NX off in one firmware: that host takes no VM that has it, the other way is fine", () => {
    const on = cpuWith("intel-penryn", { label: "on", family: 6, model: 23 });
    const off = { ...less(on, "nx"), label: "off" };
    const comparison = compareCpus(on, off);
    expect(verdicts(comparison)).toEqual(["may-not", "may"]);
    expect(comparison.bToA.reasons).toEqual([]);
    const nx = difference(comparison, "nx");
    expect(nx).toMatchObject({ level: "kernel", rule: "kernel", place: "CPUID.80000001:EDX[20]" });
    expect(nx.likely?.kind).toBe("firmware");
    expect(nx.likely?.remedy).toContain("off");
  });

  test("Intel and AMD: never, and no baseline helps", () => {
    const comparison = compareCpus(cpuWith("intel-haswell"), cpuWith("amd-zen"));
    expect(verdicts(comparison)).toEqual(["may-not", "may-not"]);
    expect(comparison.aToB.reasons[0]).toContain("GenuineIntel");
    expect(comparison.aToB.reasons[0]).toContain("AuthenticAMD");
    expect(comparison.baseline).toBeNull();
  });

  test("the same features under two vendors' names: never all the same", () => {
    const intel = cpuWith("intel-merom", { label: "a" });
    const comparison = compareCpus(intel, { ...intel, label: "b", vendor: "HygonGenuine" });
    expect(comparison.differences).toEqual([]);
    expect(verdicts(comparison)).toEqual(["may-not", "may-not"]);
  });

  test("a vendor that is not told leaves it open", () => {
    const intel = cpuWith("intel-merom", { label: "a" });
    expect(verdicts(compareCpus(intel, { ...intel, label: "b", vendor: "unknown" }))).toEqual([
      "unknown",
      "unknown",
    ]);
  });

  test("microcode that only one host got closes one way, and is called by its name", () => {
    const old = cpuWith("intel-haswell", { label: "old" });
    const updated = cpuWith("intel-haswell", { label: "new", features: ["md-clear", "spec-ctrl", "ssbd"] });
    const comparison = compareCpus(updated, old);
    expect(verdicts(comparison)).toEqual(["may-not", "may"]);
    expect(comparison.differences.map(({ likely }) => likely?.kind)).toEqual([
      "microcode",
      "microcode",
      "microcode",
    ]);
  });

  test("what no guest is shown and what guests do not depend on is listed, and refuses nothing", () => {
    const plain = cpuWith("intel-haswell", { label: "a" });
    const more = cpuWith("intel-haswell", { label: "b", features: ["est", "tm2", "x2apic", "hle"] });
    const comparison = compareCpus(plain, more);
    expect(comparison.compatible).toBe(true);
    expect(comparison.differences.map(({ feature, rule }) => [feature, rule])).toEqual([
      ["est", "hidden"],
      ["tm2", "hidden"],
      ["x2apic", "ignored"],
      ["hle", "ignored"],
    ]);
    expect(comparison.differences.every(({ why, likely }) => why.includes("mask") && likely === null)).toBe(
      true,
    );
  });

  test("run-time state is not even listed", () => {
    const a = cpuWith("intel-sandybridge", { label: "a" });
    expect(
      compareCpus(a, { ...a, label: "b", features: new Set([...a.features, "osxsave", "ospke"]) })
        .differences,
    ).toEqual([]);
  });

  test("model, stepping, brand and core count do not matter", () => {
    const a = cpuWith("intel-sandybridge", { label: "a", family: 6, model: 42, stepping: 7, brand: "i7" });
    const b = { ...a, label: "b", model: 45, stepping: 2, brand: "E5" };
    expect(compareCpus(a, b)).toMatchObject({ compatible: true, differences: [] });
  });
});

describe("KB 1008315: two steppings of Harpertown", () => {
  const cpu = (id1ecx: string, label: string) =>
    cpuOf(reportOf(readCpuSource(harpertownReport(id1ecx, "6"), label)), label);
  const comparison = compareCpus(cpu("0x000ce3bd", "early"), cpu("0x040ce3bd", "late"));

  // ESX before 3.5 U2 did not know bit 26 and compared it; from then on it hid and ignored it. Today's ESX shows
  // XSAVE to guests (virtual hardware 8 and later), so that its table compares it again: the same answer as
  // the article's, for a better reason.
  test("differ in XSAVE and what follows from it, which guests are shown today: refused both ways", () => {
    expect(comparison.differences.map(({ feature }) => feature)).toEqual([
      "xsave",
      "xcr0-master-legacy-fp",
      "xcr0-master-sse",
    ]);
    expect(difference(comparison, "xsave")).toMatchObject({
      leaf: 1,
      register: "ecx",
      bit: 26,
      rule: "user",
    });
    expect(verdicts(comparison)).toEqual(["may-not", "may-not"]);
  });

  test("would refuse nothing with the bit hidden, as ESX 3.5 U2 had it", () => {
    const xsave = featureNamed("xsave");
    expect(xsave && judge(ruleOf({ ...xsave, mask: "0" }), true, false)).toBe("may");
  });

  test("are one pool with intel-penryn, which hides XSAVE from both", () => {
    expect(comparison.baseline?.evcMode).toBe("intel-penryn");
  });

  test("tell four registers only: what both leave open is said, and is not taken to be alike", () => {
    expect(comparison.untold).toContain("smep");
    const alike = compareCpus(cpu("0x000ce3bd", "a"), cpu("0x000ce3bd", "b"));
    expect(verdicts(alike)).toEqual(["unknown", "unknown"]);
    expect(alike.differences).toEqual([]);
    expect(alike.aToB.reasons.join(" ")).toMatch(/leave open whether either host has .*bmi1/);
  });
});

describe("what one side does not tell", () => {
  const full = cpuWith("intel-haswell", { label: "full" });
  const silent: Cpu = { ...less(full, "avx2", "smep"), label: "silent", unknown: new Set(["avx2", "smep"]) };

  test("is not taken for a yes, and what would tell is said", () => {
    const comparison = compareCpus(full, silent);
    expect(verdicts(comparison)).toEqual(["unknown", "unknown"]);
    expect(difference(comparison, "avx2")).toMatchObject({
      a: true,
      b: null,
      aToB: "unknown",
      bToA: "unknown",
    });
    // Whatever the silent one has of a kernel-level feature, the other has it too.
    expect(difference(comparison, "smep")).toMatchObject({ aToB: "unknown", bToA: "may" });
    expect(difference(comparison, "avx2").likely?.kind).toBe("source");
    expect(comparison.aToB.reasons.join(" ")).toContain("godwit cpu report --json");
  });

  test("follows from what is known where it can only be so", () => {
    const without = less(full, "avx", "avx2", "f16c", "fma", "xcr0-master-ymm-h");
    const old: Cpu = { ...without, label: "old", unknown: new Set(["avx2", "xcr0-master-ymm-h"]) };
    const comparison = compareCpus(full, old);
    expect(difference(comparison, "avx2")).toMatchObject({ b: false }); // no AVX, so no AVX2
    expect(difference(comparison, "xcr0-master-ymm-h")).toMatchObject({ b: false });
  });
});

describe("beyond features", () => {
  const leaf = (number: number, words: Partial<CpuidLeaf>): CpuidLeaf => ({
    leaf: number,
    subleaf: 0,
    eax: 0,
    ebx: 0,
    ecx: 0,
    edx: 0,
    ...words,
  });
  const cpu = (label: string, leaves: readonly CpuidLeaf[], change: Partial<Cpu> = {}): Cpu => ({
    ...cpuWith("intel-skylake", { label, leaves }),
    ...change,
  });

  test("fewer physical address bits, another XSAVE area and moved components are warned of", () => {
    const a = cpu("a", [
      leaf(0x80000008, { eax: 0x302e }),
      leaf(0xd, { ecx: 2696 }),
      leaf(0xd, { subleaf: 9, eax: 8, ebx: 2688 }),
    ]);
    const b = cpu("b", [
      leaf(0x80000008, { eax: 0x3027 }),
      leaf(0xd, { ecx: 2440 }),
      leaf(0xd, { subleaf: 9, eax: 8, ebx: 2432 }),
    ]);
    const { warnings, compatible } = compareCpus(a, b);
    expect(compatible).toBe(true);
    expect(warnings).toEqual([
      "a has 46 physical address bits, b 39: a VM for both must be shown at most 39 (QEMU: phys-bits=39).",
      "The XSAVE area takes 2696 bytes on a and 2440 on b: a VM for both must not see the state components of only one.",
      "XSAVE state components 9 have another size or place on b than on a: a VM that uses them cannot move.",
    ]);
    expect(compareCpus(a, { ...a, label: "c" }).warnings).toEqual([]);
  });

  test("cores that are not alike, and a CPU that was read inside a VM, are warned of", () => {
    const { warnings } = compareCpus(cpu("a", [], { mixedCores: true }), cpu("b", [], { virtual: true }));
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toContain("The cores of a are of different kinds");
    expect(warnings[1]).toContain("The report of b was made inside a VM");
  });
});

/** Features by place, for an opinion of its own on what may move. */
const places = [
  ...new Set(features.map(({ leaf, subleaf, register }) => `${String(leaf)}.${String(subleaf)}.${register}`)),
];
const registersArbitrary = fc
  .array(fc.nat(0xffffffff), { minLength: places.length, maxLength: places.length })
  .map((words) => new Map(places.map((place, index) => [place, words[index] ?? 0])));
type Words = ReadonlyMap<string, number>;

const bitSet = (words: Words, { leaf, subleaf, register, bit }: CpuFeature): boolean =>
  Math.floor((words.get(`${String(leaf)}.${String(subleaf)}.${register}`) ?? 0) / 2 ** bit) % 2 === 1;

const cpuOfWords = (label: string, words: Words): Cpu => ({
  ...plainCpu,
  label,
  vendor: "GenuineIntel",
  features: new Set(features.filter((feature) => bitSet(words, feature)).map(({ name }) => name)),
  msrFeatures: { has: [], lacks: msrFeatures.map(({ name }) => name) },
});

/**
 * VMware's rules once more, over whole registers: masks of the bits that must be equal, and that must be there. With
 * what Godwit's baselines show to guests beyond them.
 */
function mayMoveByWords(source: Words, destination: Words): boolean {
  return places.every((place) => {
    const at = features.filter(
      ({ leaf, subleaf, register }) => `${String(leaf)}.${String(subleaf)}.${register}` === place,
    );
    const maskOf = (wanted: readonly CpuFeature[]) =>
      wanted.reduce((mask, { bit }) => mask | (1n << BigInt(bit)), 0n);
    const shown = at.filter(
      ({ name, mask, microcode, runtime }) =>
        !runtime && ((mask !== "0" && (mask !== "X" || microcode)) || microcodeFeatures.includes(name)),
    );
    const equal = maskOf(shown.filter(({ level }) => level === "user"));
    const kept = maskOf(shown.filter(({ level }) => level === "kernel"));
    const [from, to] = [BigInt(source.get(place) ?? 0), BigInt(destination.get(place) ?? 0)];
    return ((from ^ to) & equal) === 0n && (from & ~to & kept) === 0n;
  });
}

describe("properties", () => {
  /** Half of the runs differ in few bits only, or nothing would ever be allowed. */
  const pairArbitrary = fc
    .tuple(
      registersArbitrary,
      registersArbitrary,
      fc.array(fc.nat(features.length - 1), { maxLength: 3 }),
      fc.boolean(),
    )
    .map(([one, other, flips, near]): [Words, Words] => {
      if (!near) return [one, other];
      const flipped = new Map(one);
      for (const index of flips) {
        const feature = features[index];
        if (feature === undefined) continue;
        const place = `${String(feature.leaf)}.${String(feature.subleaf)}.${feature.register}`;
        flipped.set(place, ((flipped.get(place) ?? 0) ^ (1 << feature.bit)) >>> 0);
      }
      return [one, flipped];
    });

  test("a move is allowed exactly where the registers' bits allow it", () => {
    let allowed = 0;
    fc.assert(
      fc.property(pairArbitrary, ([one, other]) => {
        const comparison = compareCpus(cpuOfWords("a", one), cpuOfWords("b", other));
        expect(comparison.aToB.verdict === "may").toBe(mayMoveByWords(one, other));
        expect(comparison.bToA.verdict === "may").toBe(mayMoveByWords(other, one));
        expect(comparison.compatible).toBe(mayMoveByWords(one, other) && mayMoveByWords(other, one));
        expect(comparison.aToB.reasons.length === 0).toBe(comparison.aToB.verdict === "may");
        if (comparison.compatible) allowed += 1;
      }),
      { numRuns: 200, seed: 3 },
    );
    expect(allowed).toBeGreaterThan(10);
  });

  test("the order of the two changes nothing but the labels", () => {
    fc.assert(
      fc.property(pairArbitrary, ([one, other]) => {
        const [a, b] = [cpuOfWords("a", one), cpuOfWords("b", other)];
        const there = compareCpus(a, b);
        const back = compareCpus(b, a);
        expect(back.aToB).toEqual(there.bToA);
        expect(back.bToA).toEqual(there.aToB);
        expect(back.baseline).toEqual(there.baseline);
        const mirrored = there.differences.map(({ a: inA, b: inB, aToB, bToA, ...rest }) => ({
          ...rest,
          a: inB,
          b: inA,
          aToB: bToA,
          bToA: aToB,
        }));
        expect(back.differences).toEqual(mirrored);
      }),
      { numRuns: 60 },
    );
  });

  test("a CPU is compatible with itself, unless what is not known of it could differ", () => {
    fc.assert(
      fc.property(registersArbitrary, fc.subarray(features.map(({ name }) => name)), (words, unknown) => {
        const cpu = cpuOfWords("a", words);
        const partly = {
          ...cpu,
          features: new Set([...cpu.features].filter((name) => !unknown.includes(name))),
          unknown: new Set(unknown),
        };
        const comparison = compareCpus(partly, { ...partly, label: "b" });
        expect(comparison).toMatchObject({ compatible: comparison.untold.length === 0, differences: [] });
        expect(comparison.aToB.verdict).not.toBe("may-not");
      }),
      { numRuns: 60 },
    );
  });

  test("telling less never allows what was refused", () => {
    fc.assert(
      fc.property(pairArbitrary, fc.nat(features.length - 1), ([one, other], index) => {
        const [a, b] = [cpuOfWords("a", one), cpuOfWords("b", other)];
        const name = features[index]?.name ?? "";
        const silent = { ...less(b, name), unknown: new Set([name]) };
        const before = compareCpus(a, b);
        const after = compareCpus(a, silent);
        const had = a.features.has(name);
        // What A has, B's silence may not turn into a yes.
        if (had && !before.compatible) expect(after.compatible).toBe(false);
      }),
      { numRuns: 60 },
    );
  });

  test("a comparison is plain JSON", () => {
    fc.assert(
      fc.property(pairArbitrary, ([one, other]) => {
        const comparison = compareCpus(cpuOfWords("a", one), cpuOfWords("b", other));
        expect(JSON.parse(JSON.stringify(comparison))).toEqual(comparison);
      }),
      { numRuns: 20 },
    );
  });
});
