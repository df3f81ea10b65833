/**
 * The modes on dumps of real CPUs, against what the dumps' authors call them in the files' names, and against
 * what is known of those that satisfy less than their name says. Needs the dump collection beside the checkout.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { describe, expect, test } from "vitest";
import {
  cpuOf,
  generationOf,
  likelyCause,
  readCpuSource,
  reportOf,
  satisfiedModes,
  type Cpu,
} from "../../src/index.ts";
import { evcModeNamed, featureNamed } from "../../src/index.ts";
import { includesMode } from "../../src/evc-modes/mode.ts";

const data = new URL("../../../../../shared/data/cpuid/", import.meta.url);
const checkFile = new URL("evc-label-check.txt", data);

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

/** By file name without its ending: what the dump satisfies instead. */
function explained(): Map<string, string> {
  const rows = readFileSync(checkFile, "utf8").split("\n").slice(3);
  return new Map(
    rows.flatMap((row) => {
      const [names = "", , derived = ""] = row.split("|").map((cell) => cell.trim());
      if (derived === "") return [];
      const [first = "", ...more] = names.split(" / ");
      return [first, ...more.map((end) => first.replace(/CPUID\d*$/, end))].map(
        (name) => [name, derived] as const,
      );
    }),
  );
}

describe.skipIf(!existsSync(checkFile))("dumps of real CPUs", () => {
  const dumps = existsSync(checkFile)
    ? readdirSync(new URL("instlatx64/", data), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name.endsWith(".txt"))
        .map(({ parentPath, name }) => ({ path: `${parentPath}/${name}`, name: basename(name, ".txt") }))
    : [];
  const cpuIn = ({ path, name }: { path: string; name: string }): Cpu =>
    cpuOf(reportOf(readCpuSource(readFileSync(path, "latin1"), name)), name);

  test("satisfy the mode of their generation, but those of which it is known why not", () => {
    const exceptions = explained();
    const labelled = dumps.filter(({ name }) => labelOf(name) !== undefined);
    const derived = Object.fromEntries(labelled.map((dump) => [dump.name, topOf(cpuIn(dump))]));
    const expected = Object.fromEntries(
      labelled.map(({ name }) => [name, exceptions.get(name) ?? labelOf(name)]),
    );
    expect(derived).toEqual(expected);
    expect(labelled.length).toBeGreaterThan(50);
  });

  test("satisfy nothing beyond what Godwit takes their generation to have", () => {
    for (const dump of dumps) {
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
    ["GenuineIntel001067A_Penryn_CPUID", "sse4.1", "fuse"],
    ["GenuineIntel00306A9_IvyBridge_CPUID2", "avx", "fuse"],
    ["GenuineIntel00306F2_HaswellEP_CPUID", "aes", "firmware"],
    ["GenuineIntel0050654_SkylakeXeon_CPUID10", "pku", "fuse"],
    ["GenuineIntel0050654_SkylakeXeon_CPUID16", "monitor", "firmware"],
    ["GenuineIntel0050657_CascadeLakeX_CPUID1", "pku", "fuse"],
    ["GenuineIntel00206A2_SandyBridge_CPUID", "xcr0-master-ymm-h", "source"],
    ["GenuineIntel00206A7_SandyBridge4_CPUID", "nx", "firmware"],
    ["AuthenticAMD0800F12_K17_Zen_CPUID4", "clzero", "virtual"],
    ["GenuineIntel00606C1_ICX_01v_CPUID", "wbnoinvd", "virtual"],
  ] as const)("%s lacks %s because of: %s", ([name, missing, kind], { skip }) => {
    const dump = dumps.find((one) => one.name === name);
    if (dump === undefined) return skip("not among these dumps");
    const feature = featureNamed(missing);
    if (feature === undefined) throw new TypeError(missing);
    const mode = labelOf(name);
    expect(evcModeNamed(mode ?? "").features).toContain(missing);
    expect(likelyCause(feature, null, cpuIn(dump)).kind).toBe(kind);
  });
});
