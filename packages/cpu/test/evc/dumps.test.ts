/**
 * The modes on dumps of real CPUs, against what the dumps' authors call them in the files' names, and against
 * what is known of those that satisfy less than their name says.
 */
import { describe, expect, test } from "vitest";
import {
  evcModeNamed,
  featureNamed,
  generationOf,
  likelyCause,
  satisfiedModes,
  type Cpu,
} from "../../src/index.ts";
import { includesMode } from "../../src/evc-modes/mode.ts";
import { cpuIn, dumpNamed, instlatx64Dumps, isWiderRun } from "../collection.ts";

/** Code names as the authors write them, by mode. */
const codeNames: readonly (readonly [RegExp, string])[] = [
  [/^(Merom|Conroe|Woodcrest|Clovertown|Tigerton)/, "intel-merom"],
  [/^(Penryn|Yorkfield|Harpertown|Wolfdale|Dunnington)/, "intel-penryn"],
  [/^(Nehalem|Bloomfield|Lynnfield|Clarksfield|Beckton)/, "intel-nehalem"],
  [/^(Westmere|Clarkdale|Gulftown|Arrandale|Eagleton)/, "intel-westmere"],
  [/^SandyBridge/, "intel-sandybridge"],
  [/^IvyBridge/, "intel-ivybridge"],
  [/^(Haswell|CrystalWell)/, "intel-haswell"],
  [/^Broadwell/, "intel-broadwell"],
  [/^Skylake(Xeon|D|SP)/, "intel-skylake"],
  [/^CascadeLake/, "intel-cascadelake"],
  [/^ICX/, "intel-icelake"],
  [/^SapphireRapids/, "intel-sapphirerapids"],
  [/^K8_(Manchester|Venice|Toledo|SanDiego)/, "amd-rev-e"],
  [/^K8_(Windsor|Orleans|Brisbane|Lima)/, "amd-rev-f"],
  [/^K10_/, "amd-greyhound"],
  [/^(K15_)?(Interlagos|Zambezi|Bulldozer)/, "amd-bulldozer"],
  [/^K15_(Vishera|AbuDhabi|Richland)/, "amd-piledriver"],
  [/^K15_(Berlin|Kaveri|Godavari|BaldEagle|Carrizo|BristolRidge)/, "amd-steamroller"],
  [/^K17_(Zen|GreatHornedOwl|Picasso|Dali)/, "amd-zen"],
  [/^K17_(Rome|Matisse|Renoir|VanGogh|Mendocino)/, "amd-zen2"],
  [/^K19_(Milan|Vermeer)/, "amd-zen3"],
  [/^(K19_Genoa|K20_Turin)/, "amd-zen4"],
];

const labelOf = (name: string): string | undefined => {
  const codeName = name.replace(/^[A-Za-z]+[0-9A-F]{7}_/, "");
  return codeNames.find(([pattern]) => pattern.test(codeName))?.[1];
};

function topOf(cpu: Cpu): string {
  const [best] = satisfiedModes(cpu).toSorted((a, b) => b.features.length - a.features.length);
  return best?.key ?? "(none)";
}

/** What a dump satisfies instead of its author's name for it; why: in the data's README. */
const exceptions: Readonly<Record<string, string>> = {
  AuthenticAMD0800F12_K17_Zen_CPUID4: "amd-greyhound-no3dnow",
  AuthenticAMD0850F00_K17_Zen_CPUID3: "amd-greyhound-no3dnow",
  GenuineIntel001067A_Penryn_CPUID: "intel-merom",
  GenuineIntel00106A1_Nehalem_CPUID: "(none)",
  GenuineIntel00206A2_SandyBridge_CPUID: "intel-westmere",
  GenuineIntel00206A7_SandyBridge4_CPUID: "(none)",
  GenuineIntel00206E6_Beckton_CPUID: "(none)",
  GenuineIntel00206E6_Beckton_CPUID2: "(none)",
  GenuineIntel00306A9_IvyBridge_CPUID2: "intel-nehalem",
  GenuineIntel00306F2_HaswellEP_CPUID: "intel-nehalem",
  GenuineIntel0050654_SkylakeXeon_CPUID10: "intel-broadwell",
  GenuineIntel0050654_SkylakeXeon_CPUID16: "(none)",
  GenuineIntel0050657_CascadeLakeX_CPUID1: "intel-broadwell",
  GenuineIntel0050657_CascadeLakeX_CPUID2: "intel-broadwell",
  GenuineIntel00606C1_ICX_01v_CPUID: "(none)",
};

describe("dumps of real CPUs", () => {
  test("satisfy the mode of their generation, but those of which it is known why not", () => {
    const labelled = instlatx64Dumps.filter(({ name }) => labelOf(name) !== undefined);
    const derived = Object.fromEntries(labelled.map((dump) => [dump.name, topOf(cpuIn(dump))]));
    const expected = Object.fromEntries(
      labelled.map(({ name }) => [name, exceptions[name] ?? labelOf(name)]),
    );
    expect(derived).toEqual(expected);
    expect(labelled.length).toBeGreaterThan(isWiderRun ? 50 : 22);
  });

  test("satisfy nothing beyond what Godwit takes their generation to have", () => {
    for (const dump of instlatx64Dumps) {
      const cpu = cpuIn(dump);
      const generation = generationOf(cpu);
      if (generation === null) continue;
      for (const mode of satisfiedModes(cpu))
        expect(generation !== "none" && includesMode(generation, mode), `${dump.name} ${mode.key}`).toBe(
          true,
        );
    }
  });

  test.for([
    ["GenuineIntel00306F2_HaswellEP_CPUID", "aes", "firmware"],
    ["GenuineIntel0050654_SkylakeXeon_CPUID16", "monitor", "firmware"],
    ["GenuineIntel0050657_CascadeLakeX_CPUID1", "pku", "fuse"],
    ["GenuineIntel00206A7_SandyBridge4_CPUID", "nx", "firmware"],
    ["AuthenticAMD0800F12_K17_Zen_CPUID4", "clzero", "virtual"],
    ["GenuineIntel00606C1_ICX_01v_CPUID", "wbnoinvd", "virtual"],
    ...ofWiderRuns([
      ["GenuineIntel001067A_Penryn_CPUID", "sse4.1", "fuse"],
      ["GenuineIntel00306A9_IvyBridge_CPUID2", "avx", "fuse"],
      ["GenuineIntel0050654_SkylakeXeon_CPUID10", "pku", "fuse"],
      ["GenuineIntel00206A2_SandyBridge_CPUID", "xcr0-master-ymm-h", "source"],
    ]),
  ] as const)("%s lacks %s because of: %s", ([name, missing, kind]) => {
    const feature = featureNamed(missing);
    if (feature === undefined) throw new TypeError(missing);
    expect(evcModeNamed(labelOf(name) ?? "").features).toContain(missing);
    expect(likelyCause(feature, null, cpuIn(dumpNamed(name))).kind).toBe(kind);
  });
});

/** Rows whose dumps are not in the selection, where a wider collection has them. */
function ofWiderRuns(rows: readonly (readonly [name: string, missing: string, kind: string])[]) {
  return rows.filter(([name]) => instlatx64Dumps.some((dump) => dump.name === name));
}
