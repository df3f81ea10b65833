/** CPUs that have just what a mode wants, and variations of them. */
import { commonFeatures } from "../../src/evc/exposed-features.ts";
import { vendorText } from "../../src/evc-modes/modes.ts";
import { evcModeNamed, type Cpu } from "../../src/index.ts";

/** A 64-bit CPU of no vendor that Godwit knows, without anything that modes ask for. */
export const plainCpu: Cpu = {
  label: "plain",
  vendor: "unknown",
  family: null,
  model: null,
  stepping: null,
  brand: "",
  leaves: [],
  msrs: [],
  features: commonFeatures,
  unknown: new Set(),
  virtual: false,
  offered: false,
  mixedCores: false,
};

/** A CPU that has just what the mode wants. */
export function cpuWith(
  mode: string,
  change: Partial<Omit<Cpu, "features">> & { features?: readonly string[] } = {},
): Cpu {
  const { vendor, features } = evcModeNamed(mode);
  return {
    ...plainCpu,
    label: mode,
    vendor: vendorText(vendor),
    ...change,
    features: new Set([...commonFeatures, ...features, ...(change.features ?? [])]),
  };
}

/** The same without some features. */
export const less = (cpu: Cpu, ...features: string[]): Cpu => ({
  ...cpu,
  features: new Set([...cpu.features].filter((feature) => !features.includes(feature))),
});
