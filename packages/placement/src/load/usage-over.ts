/** What a VM used over some windows of equal length together. */
import type { VmUsageOver } from "@godwit/contract";
import { resolutions, type VmSample } from "./windows.ts";

/** @param samples fine ones; none: null */
export function usageOver(samples: readonly VmSample[]): VmUsageOver | null {
  if (samples.length === 0) return null;
  const seconds = resolutions.find(({ name }) => name === "fine")?.seconds ?? 0;
  const mean = (of: (sample: VmSample) => number): number =>
    samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length;
  // What was nothing is left out of a window, and so is what is not told: where no window has it, it is not known.
  const meanOr = (key: "readyCpus" | "diskBytesPerSecond" | "networkBytesPerSecond"): number | null =>
    samples.some((sample) => sample[key] !== undefined) ? mean((sample) => sample[key] ?? 0) : null;
  return {
    ...{ seconds: samples.length * seconds, cpus: mean(({ cpus }) => cpus) },
    peakCpus: Math.max(...samples.map(({ peakCpus }) => peakCpus)),
    ...{ readyCpus: meanOr("readyCpus"), diskBytesPerSecond: meanOr("diskBytesPerSecond") },
    networkBytesPerSecond: meanOr("networkBytesPerSecond"),
  };
}
