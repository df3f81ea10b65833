/**
 * Which features in model-specific registers a source tells: by the value of a register, and by name. Only the
 * registers of the `…-capabilities` are read by their values. What VMX can do is told by name only, for a guest
 * gets what its hypervisor makes of it, not what the hardware's registers say.
 */
import type { MsrKnowledge, MsrValue } from "../cpuid/leaves.ts";
import { msrFeatures } from "../features/msr-features.ts";

/** null: nothing is told of any. A register's value counts more than a name. */
export function msrFeaturesOf(
  msrs: readonly MsrValue[],
  named: MsrKnowledge = { has: [], lacks: [] },
): { has: string[]; lacks: string[] } | null {
  const [has, lacks] = [new Set(named.has), new Set(named.lacks)];
  for (const { name, msr, bit, parent } of msrFeatures) {
    const value = parent === "vmx" ? null : (msrs.find((one) => one.msr === msr)?.value ?? null);
    if (value === null) continue;
    const isSet = (value >> BigInt(bit)) % 2n === 1n;
    (isSet ? has : lacks).add(name);
    (isSet ? lacks : has).delete(name);
  }
  return has.size + lacks.size === 0 ? null : { has: [...has].sort(), lacks: [...lacks].sort() };
}
