/**
 * Whether a CPU has a feature, also where only what it belongs to is known: no feature without its parents, and
 * with them those that another one implies.
 */
import type { CpuFeature } from "./feature.ts";
import { featureNamed } from "./features.ts";

/** Zen 2 keeps the state of PKU without the instructions; microcode took away the state of MPX or the instructions. */
const loose = new Set(["pku", "mpx"]);

/** @param told by name; null: not known */
export function inferredPresence(
  feature: CpuFeature,
  told: (name: string) => boolean | null,
): boolean | null {
  const own = told(feature.name);
  if (own !== null) return own;
  const byName = (name: string): boolean | null => {
    const found = featureNamed(name);
    return found === undefined ? null : inferredPresence(found, told);
  };
  const parents = feature.parents.map(byName);
  if (parents.includes(false)) return false;
  const implied =
    feature.impliedBy === null || loose.has(feature.impliedBy) ? null : byName(feature.impliedBy);
  return implied === true && parents.includes(null) ? null : implied;
}
