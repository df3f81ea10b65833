/** Simulates another CPU on a lab's host: its QEMU's facts without the features that the simulated CPU lacks. */
import type { QemuFacts } from "@godwit/contract";
import { distinguishesCpus } from "./exposed-features.ts";
import { featureNamed } from "../features/features.ts";
import type { Cpu } from "../cpuid/cpu.ts";

/** @param modelFeatures what each of QEMU's models has: names of QEMU's properties that are on */
export function limitedQemuFacts(
  facts: QemuFacts,
  modelFeatures: Readonly<Record<string, readonly string[]>>,
  cpu: Cpu,
): QemuFacts {
  const lacks = (property: string): boolean => {
    const feature = featureNamed(property);
    return (
      feature !== undefined &&
      !feature.runtime &&
      distinguishesCpus(feature.name) &&
      !cpu.features.has(feature.name)
    );
  };
  return {
    ...facts,
    availableFeatures: facts.availableFeatures.filter((property) => !lacks(property)),
    cpuModels: facts.cpuModels.map(({ name, unavailableFeatures }) => ({
      name,
      unavailableFeatures: [
        ...new Set([...unavailableFeatures, ...(modelFeatures[name] ?? []).filter(lacks)]),
      ].sort(),
    })),
  };
}
