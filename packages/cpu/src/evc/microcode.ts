/**
 * Bits that microcode and kernel updates brought to CPUs that were sold without them. They are no part of a
 * mode; a pool shows each of them to all of its VMs or to none.
 */
import { featureNamed } from "../features/features.ts";
import { has, type Cpu } from "../cpuid/cpu.ts";

/** Sorted. Not `arch-capabilities`: what it says stands in a register whose bits differ from host to host. */
export const microcodeFeatures: readonly string[] = [
  ...["amd-ssbd", "amd-stibp", "flush-l1d", "ibpb", "ibrs"],
  ...["md-clear", "spec-ctrl", "ssbd", "stibp"],
];

/**
 * The microcode bits that a pool of these CPUs can give to all its VMs; sorted.
 * @param available what each host's QEMU can switch on; a bit must be in each of them
 */
export function microcodeSet(cpus: readonly Cpu[], available: readonly (readonly string[])[] = []): string[] {
  if (cpus.length === 0) return [];
  const common = new Set(
    microcodeFeatures.filter(
      (feature) =>
        cpus.every((cpu) => has(cpu, feature) === true) &&
        available.every((names) => names.includes(feature)),
    ),
  );
  return [...common].filter((feature) =>
    featureNamed(feature)?.parents.every((parent) => common.has(parent)),
  );
}
