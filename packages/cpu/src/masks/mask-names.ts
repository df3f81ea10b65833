/** Whether VMware has a name, and what was probably meant where it has not. */
import { featureNamed, features } from "../features/features.ts";
import { featureMaskPrefix, maskNameSpelling, maskNames, requirementPrefix } from "./feature-mask.ts";
import { otherFieldNames } from "./vmware-names.ts";

export interface UnknownMaskName {
  /** As it was written: `cpuid.AXV`. */
  readonly name: string;
  /** What was probably meant; null: nothing is like it. */
  readonly near: string | null;
}

/** What people call a feature that VMware, QEMU and Linux call otherwise. */
const usualNames: Readonly<Record<string, string>> = {
  VT: "VMX",
  VTX: "VMX",
  VT_X: "VMX",
  AMD_V: "SVM",
  AESNI: "AES",
  AES_NI: "AES",
};

/** @param names like `cpuid.AES`; of names outside of `cpuid.` nothing is known, and nothing is said */
export const unknownMaskNames = (names: Iterable<string>): UnknownMaskName[] =>
  [...new Set(names)].filter((name) => !isKnown(name)).map((name) => ({ name, near: nearestTo(name) }));

/** The feature's name in a key like `featMask.vm.cpuid.AES`; null: it is another key. */
export function nameInMaskKey(key: string): string | null {
  const prefix = [featureMaskPrefix, requirementPrefix].find((one) =>
    key.toLowerCase().startsWith(one.toLowerCase()),
  );
  return prefix === undefined ? null : key.slice(prefix.length);
}

function isKnown(name: string): boolean {
  if (maskNameSpelling(name) !== undefined || !/^cpuid\./i.test(name)) return true;
  return otherFieldNames.has(name.slice("cpuid.".length).toUpperCase());
}

function nearestTo(name: string): string | null {
  const plain = name.replace(/^cpuid\./i, "").toUpperCase();
  const usual = usualNames[plain] ?? featureNamed(plain.toLowerCase())?.vmware ?? null;
  if (usual !== null) return `cpuid.${usual}`;
  const limit = plain.length > 5 ? 2 : 1;
  const [best] = [...maskNames, ...features.flatMap(({ vmware }) => vmware ?? [])]
    .map((known) => ({ known, distance: distanceOf(plain, known.toUpperCase(), limit) }))
    .filter(({ distance }) => distance <= limit)
    .sort((a, b) => a.distance - b.distance);
  return best === undefined ? null : `cpuid.${best.known}`;
}

/** Letters that are missing, too many, other ones, or two that are swapped; one more than `limit` for more than it. */
function distanceOf(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, index) => index)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const change = (rows[i - 1]?.[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = swapped ? (rows[i - 2]?.[j - 2] ?? 0) + 1 : Infinity;
      row.push(Math.min(change, swap, (rows[i - 1]?.[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    rows.push(row);
  }
  return Math.min(rows.at(-1)?.at(-1) ?? 0, limit + 1);
}
