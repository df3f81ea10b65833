/**
 * What a generation of CPUs has when nothing is switched off in it, in words of EVC modes: found by family and
 * model, and only for those that are known. It explains what is missing; it never decides what is there.
 * Sources: Intel SDM volume 4 table 2-1, AMD revision guides, and CPUID dumps of these parts.
 */
import type { Cpu } from "../cpuid/cpu.ts";
import type { EvcMode } from "./mode.ts";
import { evcModeNamed, evcVendorOf } from "./modes.ts";

/** Intel's family 6, by model. Desktop parts without AVX-512 count as Broadwell, small cores without AVX as Westmere. */
const intelModels: Readonly<Record<string, readonly number[]>> = {
  "intel-merom": [0x0f, 0x16, 0x1c, 0x36],
  "intel-penryn": [0x17, 0x1d],
  "intel-nehalem": [0x1a, 0x1e, 0x1f, 0x2e],
  "intel-westmere": [
    0x25, 0x2c, 0x2f, 0x37, 0x4a, 0x4c, 0x4d, 0x5a, 0x5c, 0x5d, 0x5f, 0x7a, 0x86, 0x96, 0x9c,
  ],
  "intel-sandybridge": [0x2a, 0x2d],
  "intel-ivybridge": [0x3a, 0x3e],
  "intel-haswell": [0x3c, 0x3f, 0x45, 0x46],
  "intel-broadwell": [
    0x3d, 0x47, 0x4f, 0x56, 0x4e, 0x5e, 0x8e, 0x9e, 0xa5, 0xa6, 0x66, 0x7d, 0x7e, 0x97, 0x9a, 0xb7, 0xba,
    0xbf,
  ],
  "intel-skylake": [0x55],
  "intel-icelake": [0x6a, 0x6c],
  "intel-sapphirerapids": [0x8f, 0xcf, 0xad, 0xae],
};

/** AMD's families from the first with a mode on, each with its models up to the given one. */
const amdFamilies: Readonly<Record<number, readonly (readonly [upToModel: number, mode: string | null])[]>> =
  {
    0x0f: [
      [0x1f, null],
      [0x3f, "amd-rev-e"],
      [0xff, "amd-rev-f"],
    ],
    0x10: [[0xff, "amd-greyhound"]],
    0x11: [[0xff, "amd-rev-f"]],
    0x12: [[0xff, "amd-greyhound"]],
    0x14: [[0xff, "amd-greyhound-no3dnow"]],
    0x15: [
      [0x01, "amd-bulldozer"],
      [0x2f, "amd-piledriver"],
      [0xff, "amd-steamroller"],
    ],
    0x16: [[0xff, "amd-greyhound-no3dnow"]],
    0x17: [
      [0x2f, "amd-zen"],
      [0xff, "amd-zen2"],
    ],
    0x19: [
      [0x0f, "amd-zen3"],
      [0x1f, "amd-zen4"],
      [0x5f, "amd-zen3"],
      [0xff, "amd-zen4"],
    ],
    0x1a: [[0xff, "amd-zen4"]],
  };

const modeOfIntelModel = new Map(
  Object.entries(intelModels).flatMap(([mode, models]) => models.map((model) => [model, mode] as const)),
);

/**
 * The highest mode that this family and model can satisfy; `none`: it supports no mode at all; null: Godwit does
 * not know this family and model.
 */
export function generationOf(cpu: Cpu): EvcMode | "none" | null {
  const { family, model, stepping } = cpu;
  if (family === null || model === null) return null;
  const name =
    evcVendorOf(cpu) === "intel"
      ? intelGeneration(family, model, stepping)
      : amdGeneration(cpu, family, model);
  return name === null || name === "none" ? name : evcModeNamed(name);
}

/** Alder Lake and its successors, and whatever says so itself: cores of two kinds. */
export const isHybrid = (cpu: Cpu): boolean =>
  cpu.mixedCores ||
  cpu.features.has("hybrid") ||
  (cpu.vendor === "GenuineIntel" && cpu.family === 6 && hybridModels.has(cpu.model ?? 0));
const hybridModels: ReadonlySet<number> = new Set([
  0x8a, 0x97, 0x9a, 0xb7, 0xba, 0xbf, 0xaa, 0xac, 0xc5, 0xc6,
]);

/** Desktop parts share the mode of an older server generation, and have features of later ones. */
export const isOfDesktopGeneration = ({ vendor, family, model }: Cpu): boolean =>
  vendor === "GenuineIntel" && family === 6 && desktopModels.has(model ?? 0);
const desktopModels: ReadonlySet<number> = new Set([0x66, 0x7d, 0x7e, 0x8c, 0x8d, 0xa7, ...hybridModels]);

function intelGeneration(family: number, model: number, stepping: number | null): string | null {
  // Before the Core 2 there was no generation with a mode: Pentium III, M, Core; and Pentium 4.
  if (family < 6 || (family === 6 && model < 0x0f) || family === 15) return "none";
  if (family !== 6) return null;
  // One model number for three generations; Cooper Lake counts as Cascade Lake.
  if (model === 0x55 && stepping !== null && stepping >= 5) return "intel-cascadelake";
  return modeOfIntelModel.get(model) ?? null;
}

function amdGeneration(cpu: Cpu, family: number, model: number): string | null {
  if (evcVendorOf(cpu) !== "amd") return null;
  if (family < 0x0f) return "none";
  const found = amdFamilies[family]?.find(([upTo]) => model <= upTo);
  return found === undefined ? null : (found[1] ?? "none");
}
