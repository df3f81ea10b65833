/**
 * Dumps of real CPUs against what libcpuid, an independent decoder, says of them: family, model, stepping and every
 * feature of its list that we name.
 */
import type { CpuReport } from "@godwit/contract";
import { describe, expect, test } from "vitest";
import { featureNamed, readCpuSource, reportOf } from "../../src/index.ts";
import { isWiderRun, libcpuidDumps, textOf } from "../collection.ts";

/** libcpuid's names that are not QEMU's. */
const names: Readonly<Record<string, string>> = {
  dts: "ds",
  dts64: "dtes64",
  ds_cpl: "ds-cpl",
  pclmul: "pclmulqdq",
  fma3: "fma",
  sse4_1: "sse4.1",
  sse4_2: "sse4.2",
  xd: "nx",
  lahf_lm: "lahf-lm",
  cmp_legacy: "cmp-legacy",
  fxsr_opt: "fxsr-opt",
  avx512vbmi2: "avx512vbmi2",
  sha_ni: "sha-ni",
};

/** Power and clock management, and its own conclusions: bits that have no name here. */
const unnamed: ReadonlySet<string> = new Set([
  ...[
    "100mhzsteps",
    "aperfmperf",
    "constant_tsc",
    "cpb",
    "fid",
    "hwpstate",
    "pa",
    "pfi",
    "stc",
    "tm_amd",
    "ts",
  ],
  ...["ttp", "vid"],
  // Not a feature: the length of an instruction cache's line.
  "len34",
]);

interface Expected {
  readonly vendor: string;
  readonly family: number;
  readonly model: number;
  readonly stepping: number;
  readonly features: readonly string[];
}

function expectedIn(text: string, path: string): Expected {
  const lines =
    text
      .split(/^-{80}$/m)[1]
      ?.trim()
      .split("\n") ?? [];
  const [stepping = NaN, family = NaN, model = NaN] = lines.slice(5, 8).map(Number);
  const words = lines.at(-1)?.trim().split(" ") ?? [];
  const vendor = path.includes("/intel/")
    ? "GenuineIntel"
    : path.includes("/hygon/")
      ? "HygonGenuine"
      : "AuthenticAMD";
  return {
    vendor,
    family,
    model,
    stepping,
    features: words
      .filter((word) => !unnamed.has(word))
      .map((word) => featureNamed(names[word] ?? word)?.name ?? `?${word}`),
  };
}

/** The processor's own brand, read from the text by other means than the product's. */
function brandIn(text: string): string {
  const words = [2, 3, 4].flatMap((leaf) => {
    const aida = new RegExp(
      `^CPUID 8000000${String(leaf)}[^0-9A-F]+([0-9A-F]{8})-([0-9A-F]{8})-([0-9A-F]{8})-([0-9A-F]{8})`,
      "m",
    );
    const own = new RegExp(`^ext_cpuid\\[${String(leaf)}\\]=(\\w{8}) (\\w{8}) (\\w{8}) (\\w{8})`, "m");
    const highest = /^(?:CPUID 80000000[^0-9A-F]+|ext_cpuid\[0\]=)(\w{8})/m.exec(text)?.[1] ?? "0";
    if (Number.parseInt(highest, 16) < 0x80000004) return [];
    return (aida.exec(text) ?? own.exec(text) ?? []).slice(1, 5);
  });
  const bytes = Buffer.from(words.join(""), "hex").swap32();
  return bytes.toString("latin1").replace(/\0.*$/s, "").trim();
}

/** What libcpuid decides otherwise than the bit says. */
function takenBack({ vendor, leaves }: CpuReport): string[] {
  const leaf1 = leaves.find((one) => one.leaf === "0x00000001");
  const logicalCpus = (Number(leaf1?.ebx) >>> 16) & 0xff;
  return [
    // It reads this bit of AMD's CPUs only.
    ...(vendor === "GenuineIntel" ? ["3dnowprefetch"] : []),
    // It takes Hyper-Threading from CPUs that have one thread a package.
    ...(logicalCpus <= 1 ? ["ht"] : []),
  ];
}

const dumps = libcpuidDumps.map((dump) => {
  const text = textOf(dump);
  return { name: dump.name, text, expected: expectedIn(text, dump.path) };
});
/** Names that the collection uses: one that is missing there says that the CPU has not the feature. */
const used = new Set(dumps.flatMap(({ expected }) => expected.features));

describe("libcpuid's dumps", () => {
  test("every name of its lists is ours, or known to have no counterpart", () => {
    expect(dumps.length).toBeGreaterThan(isWiderRun ? 190 : 20);
    expect([...used].filter((name) => name.startsWith("?"))).toEqual([]);
    expect(used.size).toBeGreaterThan(80);
  });

  test.each(dumps)("$name", ({ name, text, expected }) => {
    const report = reportOf(readCpuSource(text, name));
    const { vendor, family, model, stepping } = report;
    expect(report.format).toBe("libcpuid");
    expect({ vendor, family, model, stepping }).toEqual({
      vendor: expected.vendor,
      family: expected.family,
      model: expected.model,
      stepping: expected.stepping,
    });
    expect(report.brand).toBe(brandIn(text));
    const exceptions = new Set(takenBack(report));
    const ours = report.features.filter((feature) => used.has(feature) && !exceptions.has(feature));
    const theirs = expected.features.filter((feature) => !exceptions.has(feature));
    expect(ours).toEqual([...new Set(theirs)].sort());
  });
});
