/** A CPU with exactly the features of an EVC mode, for labs, whose hosts can simulate it. No machine has it. */
import { features } from "../features/features.ts";
import type { CpuSource } from "../formats/cpu-source.ts";
import type { EvcMode } from "../evc-modes/mode.ts";
import { vendorText } from "../evc-modes/modes.ts";
import { commonFeatures, hypervisorFeatures } from "./exposed-features.ts";

/** Family, model and stepping of a typical part of each generation. */
const signatures: Readonly<Record<string, readonly [family: number, model: number, stepping: number]>> = {
  "intel-merom": [6, 0x0f, 11],
  "intel-penryn": [6, 0x17, 10],
  "intel-nehalem": [6, 0x1a, 5],
  "intel-westmere": [6, 0x2c, 2],
  "intel-sandybridge": [6, 0x2d, 7],
  "intel-ivybridge": [6, 0x3e, 4],
  "intel-haswell": [6, 0x3f, 2],
  "intel-broadwell": [6, 0x4f, 1],
  "intel-skylake": [6, 0x55, 4],
  "intel-cascadelake": [6, 0x55, 7],
  "intel-icelake": [6, 0x6a, 6],
  "intel-sapphirerapids": [6, 0x8f, 8],
  "amd-rev-e": [0x0f, 0x21, 2],
  "amd-rev-f": [0x0f, 0x41, 2],
  "amd-greyhound": [0x10, 0x04, 2],
  "amd-greyhound-no3dnow": [0x10, 0x04, 2],
  "amd-bulldozer": [0x15, 0x01, 2],
  "amd-piledriver": [0x15, 0x02, 0],
  "amd-steamroller": [0x15, 0x30, 1],
  "amd-zen": [0x17, 0x01, 2],
  "amd-zen2": [0x17, 0x31, 0],
  "amd-zen3": [0x19, 0x01, 1],
  "amd-zen4": [0x19, 0x11, 1],
};

/** All that the mode has and nothing else that tells CPUs apart. */
export function simulatedCpu(mode: EvcMode): CpuSource {
  const has = new Set([...commonFeatures, ...hypervisorFeatures, ...mode.features]);
  has.delete("hypervisor");
  const [family, model, stepping] = signatures[mode.key] ?? [null, null, null];
  return {
    format: "godwit-json",
    label: `simulated ${mode.key}`,
    cpus: [],
    named: {
      vendor: vendorText(mode.vendor),
      family,
      model,
      stepping,
      brand: `Simulated ${mode.label}`,
      logicalCpus: 1,
      features: [...has].sort(),
      lacks: features.map(({ name }) => name).filter((name) => !has.has(name)),
    },
    notes: [`This is a simulation of ${mode.label}: no machine was read.`],
  };
}
