/**
 * Whether a CPU has a feature, from what a source told. Its bit, where the leaf is told; no, where the CPU says
 * that the leaf does not exist; else what the source says by name; else it is not known.
 */
import {
  basicLeaves,
  bitOf,
  extendedLeaves,
  highestBasicLeaf,
  type CpuidLeaf,
  type Register,
} from "../cpuid/leaves.ts";
import type { CpuFeature } from "../features/feature.ts";
import type { CpuSource, ToldFacts } from "../formats/cpu-source.ts";

/** What a source told, to be asked. */
export interface Told {
  /** undefined: not told. */
  readonly leafAt: (leaf: number, subleaf: number) => CpuidLeaf | undefined;
  readonly registers: NonNullable<ToldFacts["registers"]>;
  readonly has: ReadonlySet<string>;
  readonly lacks: ReadonlySet<string>;
}

/** Of the first logical CPU. */
export const toldBy = ({ cpus, told, named }: CpuSource): Told => ({
  ...toldByLeaves(cpus[0]?.leaves ?? []),
  registers: told?.registers ?? {},
  has: new Set(named?.features),
  lacks: new Set(named?.lacks),
});

/** What one logical CPU told. */
export function toldByLeaves(leaves: readonly CpuidLeaf[]): Told {
  const byNumber = new Map<number, CpuidLeaf[]>();
  for (const leaf of leaves) byNumber.set(leaf.leaf, [...(byNumber.get(leaf.leaf) ?? []), leaf]);
  return {
    leafAt: (leaf, subleaf) => byNumber.get(leaf)?.find((one) => one.subleaf === subleaf),
    registers: {},
    has: new Set(),
    lacks: new Set(),
  };
}

/** undefined: not told. */
export function wordOf(told: Told, leaf: number, subleaf: number, register: Register): number | undefined {
  const word = told.leafAt(leaf, subleaf)?.[register];
  if (word !== undefined || subleaf !== 0) return word;
  const { id1ecx, id1edx, id81ecx, id81edx } = told.registers;
  if (leaf === 1) return register === "ecx" ? id1ecx : register === "edx" ? id1edx : undefined;
  if (leaf === 0x80000001) return register === "ecx" ? id81ecx : register === "edx" ? id81edx : undefined;
  return undefined;
}

/** null: not known. */
export function hasFeature(told: Told, feature: CpuFeature): boolean | null {
  const word = wordOf(told, feature.leaf, feature.subleaf, feature.register);
  if (word !== undefined) return bitOf(word, feature.bit);
  if (told.has.has(feature.name)) return true;
  if (told.lacks.has(feature.name)) return false;
  return leafExists(told, feature.leaf, feature.subleaf) === false ? false : null;
}

/** Whether the CPU has a leaf, by what it says elsewhere of its leaves; null: not known. */
export function leafExists(told: Told, leaf: number, subleaf: number): boolean | null {
  const range = leaf <= basicLeaves.last ? basicLeaves : extendedLeaves;
  const said = told.leafAt(range.first, 0)?.eax;
  const highest = said === undefined || range === extendedLeaves ? said : highestBasicLeaf(said);
  if (highest !== undefined && leaf > highest) return false;
  if (leaf === 7 && subleaf > 0) {
    const highestSubleaf = wordOf(told, 7, 0, "eax");
    if (highestSubleaf !== undefined) return subleaf <= highestSubleaf;
  }
  if (leaf === 0xd && bitIs(told, 1, "ecx", 26) === false) return false;
  if (leaf === 0x8000000a && bitIs(told, 0x80000001, "ecx", 2) === false) return false;
  return highest === undefined ? null : true;
}

/** undefined: not told. */
export function bitIs(told: Told, leaf: number, register: Register, bit: number): boolean | undefined {
  const word = wordOf(told, leaf, 0, register);
  return word === undefined ? undefined : bitOf(word, bit);
}

export interface Signature {
  readonly family: number;
  readonly model: number;
  readonly stepping: number;
}

/** Family, model and stepping from leaf 1's EAX, the extended fields included as the vendors say. */
export function signatureOf(eax: number): Signature {
  const family = (eax >>> 8) & 0xf;
  const model = (eax >>> 4) & 0xf;
  return {
    family: family === 0xf ? family + ((eax >>> 20) & 0xff) : family,
    model: family === 6 || family === 0xf ? (((eax >>> 16) & 0xf) << 4) | model : model,
    stepping: eax & 0xf,
  };
}
