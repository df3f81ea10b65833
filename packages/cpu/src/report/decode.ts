/**
 * Whether a CPU has a feature, from what a source answers. Its bit, where the leaf is reported; no, where the CPU says
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
import type { CpuSource, ReportedFacts } from "../formats/cpu-source.ts";

/** What a source answers, to be asked. */
export interface SourceAnswers {
  /** undefined: not reported */
  readonly leafAt: (leaf: number, subleaf: number) => CpuidLeaf | undefined;
  readonly registers: NonNullable<ReportedFacts["registers"]>;
  readonly has: ReadonlySet<string>;
  readonly lacks: ReadonlySet<string>;
}

/** Of the first logical CPU. */
export const answersOf = ({ cpus, reported, named }: CpuSource): SourceAnswers => ({
  ...answersOfLeaves(cpus[0]?.leaves ?? []),
  registers: reported?.registers ?? {},
  has: new Set(named?.features),
  lacks: new Set(named?.lacks),
});

/** What one logical CPU answers. */
export function answersOfLeaves(leaves: readonly CpuidLeaf[]): SourceAnswers {
  const byNumber = new Map<number, CpuidLeaf[]>();
  for (const leaf of leaves) byNumber.set(leaf.leaf, [...(byNumber.get(leaf.leaf) ?? []), leaf]);
  return {
    leafAt: (leaf, subleaf) => byNumber.get(leaf)?.find((one) => one.subleaf === subleaf),
    registers: {},
    has: new Set(),
    lacks: new Set(),
  };
}

/** undefined: not reported */
export function registerValue(
  answers: SourceAnswers,
  leaf: number,
  subleaf: number,
  register: Register,
): number | undefined {
  const word = answers.leafAt(leaf, subleaf)?.[register];
  if (word !== undefined || subleaf !== 0) return word;
  const { id1ecx, id1edx, id81ecx, id81edx } = answers.registers;
  if (leaf === 1) return register === "ecx" ? id1ecx : register === "edx" ? id1edx : undefined;
  if (leaf === 0x80000001) return register === "ecx" ? id81ecx : register === "edx" ? id81edx : undefined;
  return undefined;
}

/** null: not known. */
export function hasFeature(answers: SourceAnswers, feature: CpuFeature): boolean | null {
  const word = registerValue(answers, feature.leaf, feature.subleaf, feature.register);
  if (word !== undefined) return bitOf(word, feature.bit);
  if (answers.has.has(feature.name)) return true;
  if (answers.lacks.has(feature.name)) return false;
  return leafExists(answers, feature.leaf, feature.subleaf) === false ? false : null;
}

/** Whether the CPU has a leaf, by what it says elsewhere of its leaves; null: not known. */
export function leafExists(answers: SourceAnswers, leaf: number, subleaf: number): boolean | null {
  const range = leaf <= basicLeaves.last ? basicLeaves : extendedLeaves;
  const said = answers.leafAt(range.first, 0)?.eax;
  const highest = said === undefined || range === extendedLeaves ? said : highestBasicLeaf(said);
  if (highest !== undefined && leaf > highest) return false;
  if (countsItsSubleaves.has(leaf) && subleaf > 0) {
    const highestSubleaf = registerValue(answers, leaf, 0, "eax");
    if (highestSubleaf !== undefined) return subleaf <= highestSubleaf;
  }
  if (leaf === 0xd && bitIs(answers, 1, "ecx", 26) === false) return false;
  // Where the CPU has no tiles, or no AVX10, the leaf that tells more of them is empty.
  if (leaf === 0x1e && bitIs(answers, 7, "edx", 24) === false) return false;
  if (leaf === 0x24 && hasAvx10(answers) === false) return false;
  if (leaf === 0x8000000a && bitIs(answers, 0x80000001, "ecx", 2) === false) return false;
  return highest === undefined ? null : true;
}

/** Their first subleaf says in EAX which is the last. */
const countsItsSubleaves: ReadonlySet<number> = new Set([7, 0x1e]);

function hasAvx10(answers: SourceAnswers): boolean | null {
  const word = registerValue(answers, 7, 1, "edx");
  if (word !== undefined) return bitOf(word, 19);
  return leafExists(answers, 7, 1) === false ? false : null;
}

/** undefined: not reported */
export function bitIs(
  answers: SourceAnswers,
  leaf: number,
  register: Register,
  bit: number,
): boolean | undefined {
  const word = registerValue(answers, leaf, 0, register);
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
