/**
 * A move where the VM's features are known: in a pool with a baseline, or with a CPU model that has a name.
 * Only what the VM may see matters; whatever more the destination has is hidden from it and is not looked at.
 * This is about the hardware; what the destination's QEMU can show of it is asked of QEMU itself.
 */
import { likelyCause, type Cause } from "../causes.ts";
import { placeOf } from "../cpuid/leaves.ts";
import { hypervisorFeatures } from "../evc/shown.ts";
import { featureNamed } from "../features/features.ts";
import type { Cpu } from "../report/cpu.ts";
import { toldOf, type Verdict } from "./rules.ts";

export interface LackingFeature {
  readonly feature: string;
  /** Like `CPUID.7.0:EBX[9]`. */
  readonly place: string;
  readonly likely: Cause;
}

export interface BaselineComparison {
  readonly verdict: Verdict;
  /** What the VM may see and the destination surely lacks. */
  readonly lacking: readonly LackingFeature[];
  /** What the VM may see and the destination's source does not tell of, or the feature table does not: names. */
  readonly unknown: readonly string[];
}

/** What KVM and QEMU give to guests by themselves, whatever the hardware has. */
const emulated: ReadonlySet<string> = new Set([
  ...hypervisorFeatures,
  ...["topoext", "umip", "arch-capabilities", "osxsave", "ospke"],
]);

/** @param vmFeatures all that the VM may see; names of the feature table */
export function compareForBaseline(vmFeatures: Iterable<string>, destination: Cpu): BaselineComparison {
  const lacking: LackingFeature[] = [];
  const unknown: string[] = [];
  for (const name of vmFeatures) {
    if (emulated.has(name)) continue;
    const feature = featureNamed(name);
    const told = feature === undefined ? null : toldOf(destination, feature);
    if (feature === undefined || told === null) unknown.push(name);
    else if (!told)
      lacking.push({
        feature: name,
        place: placeOf(feature),
        likely: likelyCause(feature, null, destination),
      });
  }
  const verdict = lacking.length > 0 ? "may-not" : unknown.length > 0 ? "unknown" : "may";
  return { verdict, lacking, unknown };
}
