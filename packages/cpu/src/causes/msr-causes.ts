/** Why a CPU probably lacks a feature that stands in a model-specific register, and what to do about it. */
import { msrPlaceOf, type MsrFeature } from "../features/msr-features.ts";
import type { Cause } from "./causes.ts";

/** @param told whether it is known that it lacks it; null: it is not */
export function likelyMsrCause(feature: MsrFeature, label: string, told: boolean | null): Cause {
  const { name, weakness } = feature;
  const place = msrPlaceOf(feature);
  if (told === null)
    return {
      kind: "source",
      cause: `The report of ${label} does not say whether it has ${name} (${place}).`,
      remedy: `Make a report on ${label} itself as root: godwit cpu report reads ${place.split("[")[0] ?? place} where the kernel module msr is loaded.`,
    };
  return weakness
    ? {
        kind: "generation",
        cause: `${label} does not have ${name} (${place}), which stands for a weakness of the other.`,
        remedy: "Use a baseline: no EVC mode shows arch-capabilities.",
      }
    : {
        kind: "generation",
        cause: `${label} does not have ${name} (${place}): its stepping or microcode has no such protection.`,
        remedy: `Update firmware and microcode of ${label}, or use a baseline: no EVC mode shows arch-capabilities.`,
      };
}
