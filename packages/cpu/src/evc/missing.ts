/** What a CPU lacks of an EVC mode, and why it probably does. */
import { likelyCause, type Cause } from "../causes/causes.ts";
import { featureNamed } from "../features/features.ts";
import { has, type Cpu } from "../cpuid/cpu.ts";
import type { EvcMode } from "../evc-modes/mode.ts";

export interface MissingFeature {
  readonly feature: string;
  /** false: what is known of the CPU does not tell; it may have it. */
  readonly known: boolean;
  readonly why: Cause;
}

/** Every feature of the mode that the CPU is not known to have. Whether vendors fit is not looked at. */
export const missingFor = (cpu: Cpu, mode: EvcMode): MissingFeature[] => missingOf(cpu, mode.features);

/** @param names of the feature table; another name is a bug of the caller */
export function missingOf(cpu: Cpu, names: readonly string[]): MissingFeature[] {
  return names.flatMap((name) => {
    const told = has(cpu, name);
    if (told === true) return [];
    const feature = featureNamed(name);
    if (feature === undefined) throw new TypeError(`no feature ${name} in the table`);
    return [{ feature: name, known: told === false, why: likelyCause(feature, null, cpu) }];
  });
}
