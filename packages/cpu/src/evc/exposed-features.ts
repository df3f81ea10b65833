/**
 * What a guest sees in an EVC mode, in the names that QEMU has: what every 64-bit CPU has, what the hypervisor
 * gives by itself, the mode's own features as far as a guest can get them, and the pool's microcode bits.
 */
import type { EvcMode } from "../evc-modes/mode.ts";

/** On every 64-bit CPU; modes do not list them, and QEMU's models have nearly all. */
export const commonFeatures: ReadonlySet<string> = new Set(
  `fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush acpi mmx fxsr sse sse2
   syscall`.split(/\s+/),
);

/** Made by QEMU and KVM whatever the hardware is: never a reason for or against a host. */
export const hypervisorFeatures: ReadonlySet<string> = new Set([
  "hypervisor",
  "x2apic",
  "tsc-deadline",
  "tsc-adjust",
  "arat",
  "ht",
  "cmp-legacy",
]);

/** Not in a mode's definition, but what it gives is of no use without. */
const companions: Readonly<Record<string, string>> = { "amx-tile": "xfd" };

/** Whether a feature can tell two CPUs apart in a guest. */
export const distinguishesCpus = (feature: string): boolean =>
  !commonFeatures.has(feature) && !hypervisorFeatures.has(feature);

/** The mode's own features in a guest, and what goes with them; without what every guest has. */
export function exposedFeatures(mode: EvcMode, microcode: readonly string[] = []): string[] {
  const given = mode.features.filter((feature) => !mode.hidden.includes(feature));
  return [
    ...new Set([...given, ...given.flatMap((feature) => companions[feature] ?? []), ...microcode]),
  ].sort();
}

/** What of a VM's features goes beyond a mode: what not every host of a pool with it has. */
export function beyond(vmFeatures: readonly string[], mode: EvcMode, microcode: readonly string[]): string[] {
  const there = new Set([...mode.features, ...exposedFeatures(mode, microcode)]);
  return vmFeatures.filter((feature) => distinguishesCpus(feature) && !there.has(feature)).sort();
}
