/** Why a CPU probably lacks a feature: one story for each rule, in the rules' order. */
import { expect, test } from "vitest";
import { featureNamed, likelyCause, whyQemuLacks, type Cpu, type CpuFeature } from "../../src/index.ts";
import { cpuIn, dumpNamed, instlatx64Dumps, libcpuidDumps } from "../collection.ts";
import { cpuWith, less, plainCpu } from "../evc/cpus.ts";

const named = (name: string): CpuFeature => {
  const feature = featureNamed(name);
  if (feature === undefined) throw new TypeError(name);
  return feature;
};

const part = (mode: string, family: number, model: number, brand = "Intel(R) Xeon(R) CPU"): Cpu =>
  cpuWith(mode, { label: "b", family, model, stepping: 1, brand });
const haswell = part("intel-haswell", 6, 0x3f);
const why = (feature: string, lacking: Cpu, having: Cpu | null = null) =>
  likelyCause(named(feature), having, lacking);

test("what the source does not tell is not called lacking", () => {
  expect(why("aes", { ...less(haswell, "aes"), unknown: new Set(["aes"]) })).toMatchObject({
    kind: "source",
    cause: "The report of b does not say whether it has aes.",
  });
});

test("a state component is missing because of its instructions", () => {
  expect(why("xcr0-master-ymm-h", less(haswell, "xcr0-master-ymm-h", "avx"))).toEqual(
    why("avx", less(haswell, "avx")),
  );
});

test("inside a VM the hypervisor may hide everything", () => {
  expect(why("monitor", { ...less(haswell, "monitor"), virtual: true }).kind).toBe("virtual");
});

test("another vendor's features were never there", () => {
  for (const name of ["sse4a", "clzero", "svm"]) {
    expect(why(name, haswell).kind).toBe("generation");
    expect(why(name, haswell).cause).toContain("GenuineIntel's CPUs have none");
  }
});

test("microcode brings the bits against side channels, and takes TSX away", () => {
  expect(why("md-clear", haswell)).toMatchObject({ kind: "microcode" });
  expect(why("rtm", haswell).cause).toContain("transactional memory (TSX)");
});

test("a generation before the feature never had it", () => {
  expect(why("avx512f", haswell).cause).toBe(
    "b does not have avx512f: the EVC mode of its generation, intel-haswell, has none.",
  );
  const pentium4 = { ...plainCpu, label: "old", vendor: "GenuineIntel", family: 15, model: 4 };
  expect(why("ssse3", pentium4).cause).toBe(
    "old does not have ssse3: its family is older than all EVC modes.",
  );
  // Zen is newer than Bulldozer, and has lost it.
  expect(why("xop", part("amd-zen", 0x17, 0x31)).kind).toBe("generation");
});

test("small and workstation parts are sold without", () => {
  const celeron = less(part("intel-ivybridge", 6, 0x3a, "Intel(R) Celeron(R) CPU G1610 @ 2.60GHz"), "aes");
  expect(why("aes", celeron).kind).toBe("fuse");
  const corex = less(part("intel-skylake", 6, 0x55, "Intel(R) Core(TM) i9-7900X CPU @ 3.30GHz"), "pku");
  expect(why("pku", corex).cause).toContain("i9-7900X");
});

test("what the generation has and firmware can switch off is switched off, and the switch is named", () => {
  for (const [feature, entry] of [
    ["aes", "AES-NI"],
    ["nx", "Execute Disable"],
    ["monitor", "MONITOR/MWAIT"],
    ["vmx", "VT-x"],
  ] as const) {
    const { kind, remedy } = why(feature, less(haswell, feature));
    expect([feature, kind]).toEqual([feature, "firmware"]);
    expect(remedy).toContain(entry);
  }
});

test("two CPUs of one kind differ by their settings", () => {
  const { kind, cause } = why("pcid", less(haswell, "pcid"), { ...haswell, label: "a" });
  expect(kind).toBe("firmware");
  expect(cause).toContain("a and b have the same CPU model");
});

test("what neither table nor generation knows was probably never there", () => {
  expect(why("aes", { ...plainCpu, vendor: "CentaurHauls", label: "c" })).toMatchObject({
    kind: "generation",
  });
});

test("what the hardware has and QEMU does not give is QEMU's, the kernel's, or emulation's", () => {
  const given = (feature: string, version: string, accelerator?: "tcg") =>
    whyQemuLacks(named(feature), haswell, version, accelerator);
  expect(given("flush-l1d", "7.2.22")).toMatchObject({
    kind: "qemu",
    remedy: "Upgrade QEMU on b to 8.0 or later.",
  });
  expect(given("flush-l1d", "10.0.2").kind).toBe("kernel");
  expect(given("invpcid", "7.2.22", "tcg").cause).toContain("emulates");
  expect(whyQemuLacks(named("xsaves"), part("amd-zen", 0x17, 1), "8.0.0").cause).toContain("erratum 1386");
});

test("of parts with cores of two kinds the small ones are why AVX-512 is missing", () => {
  const alderLake = cpuIn(dumpNamed("12th-gen-intel-core-i9-12900hk"), "b");
  expect(why("avx512f", alderLake)).toMatchObject({ kind: "fuse" });
  expect(why("avx512f", alderLake).cause).toContain("small ones have no AVX-512");
  const mixed = { ...haswell, someCores: new Set(["waitpkg"]), mixedCores: true };
  expect(why("waitpkg", mixed).cause).toBe(
    "Only some of the cores of b have waitpkg, and a guest runs on all of them.",
  );
});

test("what a real CPU has is not said to be absent from its vendor's CPUs, nor from its own kind", () => {
  const cpus = [...instlatx64Dumps, ...libcpuidDumps]
    .map((dump) => cpuIn(dump))
    .filter((cpu) => !cpu.virtual);
  const wrong = new Set<string>();
  for (const cpu of cpus) {
    for (const name of cpu.features) {
      const feature = featureNamed(name);
      if (feature === undefined || feature.runtime) continue;
      for (const cause of [
        likelyCause(feature, cpu, { ...less(cpu, name), label: "b" }).cause,
        likelyCause(feature, null, { ...less(cpu, name), label: "b" }).cause,
      ])
        if (/CPUs have none/.test(cause))
          wrong.add(`${cpu.vendor} ${String(cpu.family)}/${String(cpu.model)} ${name}: ${cause}`);
    }
  }
  expect([...wrong]).toEqual([]);
});

test("a Skylake and a Cascade Lake have one model number, and are not the same CPU with other firmware settings", () => {
  const cascadeLake = cpuIn(dumpNamed("GenuineIntel0050656_CascadeLakeSP_CPUID"), "cascade");
  const skylake = cpuIn(dumpNamed("GenuineIntel0050654_SkylakeXeon_CPUID"), "sky");
  expect(why("avx512vnni", skylake, cascadeLake)).toMatchObject({
    kind: "generation",
    cause: "sky does not have avx512vnni: the EVC mode of its generation, intel-skylake, has none.",
  });
});

test("what is missing of AVX-512 beside the rest of it is not switched off in the firmware", () => {
  const skylake = cpuIn(dumpNamed("GenuineIntel0050654_SkylakeXeon_CPUID"), "sky");
  expect(why("avx512-vp2intersect", skylake).kind).toBe("generation");
  const desktop = part("intel-broadwell", 6, 0x9e, "Intel(R) Core(TM) i7-7700 CPU");
  expect(why("smx", desktop)).toMatchObject({
    kind: "firmware",
    cause: "smx is disabled in the firmware (BIOS) of b, or its CPU does not have it.",
  });
});
