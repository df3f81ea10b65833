/** What CPUID answers, as numbers. A register is an unsigned 32-bit integer. */
export type Register = "eax" | "ebx" | "ecx" | "edx";

export interface CpuidLeaf {
  readonly leaf: number;
  readonly subleaf: number;
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

/** A model-specific register; null: it was asked for and could not be read. */
export interface MsrValue {
  readonly msr: number;
  readonly value: bigint | null;
}

/** Names of features in such registers, as a source tells them: what is in neither list is not known. */
export interface MsrKnowledge {
  readonly has: readonly string[];
  readonly lacks: readonly string[];
}

/** What one logical CPU answered. */
export interface LogicalCpu {
  /** Its number as the source counts; null where the source does not say. */
  readonly id: number | null;
  readonly leaves: readonly CpuidLeaf[];
  readonly msrs: readonly MsrValue[];
}

/** @returns undefined: the source did not tell this leaf */
export const leafOf = (leaves: readonly CpuidLeaf[], leaf: number, subleaf = 0): CpuidLeaf | undefined =>
  leaves.find((one) => one.leaf === leaf && one.subleaf === subleaf);

/** The value of one register, undefined where the source did not tell it. */
export const registerOf = (
  leaves: readonly CpuidLeaf[],
  leaf: number,
  subleaf: number,
  register: Register,
): number | undefined => leafOf(leaves, leaf, subleaf)?.[register];

/** The range whose highest leaf stands in leaf 0's EAX. Numbers above belong to other ranges. */
export const basicLeaves = { first: 0, last: 0xffff } as const;
/** The range whose highest leaf stands in leaf 0x80000000's EAX. */
export const extendedLeaves = { first: 0x80000000, last: 0x8000ffff } as const;

/**
 * The highest leaf of the basic range by leaf 0's EAX. The first Pentiums answered with their signature, 0x5xx,
 * and had leaf 1.
 */
export const highestBasicLeaf = (eax: number): number => (eax >>> 8 === 5 ? 1 : eax);

/** The vendor as leaf 0 spells it (`GenuineIntel`); null where the registers hold no text. */
export function vendorOf({ ebx, ecx, edx }: CpuidLeaf): string | null {
  const text = asciiOf([ebx, edx, ecx]).replace(/\0+$/, "");
  return /^[\x20-\x7e]+$/.test(text) ? text : null;
}

/** Four characters a register, the lowest byte first. */
export const asciiOf = (registers: readonly number[]): string =>
  String.fromCharCode(
    ...registers.flatMap((value) => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff)),
  );

/** Whether a bit is set; 0 ≤ bit ≤ 31. */
export const bitOf = (value: number, bit: number): boolean => ((value >>> bit) & 1) === 1;

/** `0x` and eight digits. */
export const hex32 = (value: number): string => `0x${(value >>> 0).toString(16).padStart(8, "0")}`;

/** One bit of one register. */
export interface BitPlace {
  readonly leaf: number;
  readonly subleaf: number;
  readonly register: Register;
  readonly bit: number;
}

/** Where a bit is, for people: `CPUID.7.0:EBX[9]`. */
export const placeOf = ({ leaf, subleaf, register, bit }: BitPlace): string =>
  `CPUID.${leaf.toString(16).toUpperCase()}${leaf === 7 || leaf === 0xd || subleaf !== 0 ? `.${String(subleaf)}` : ""}:${register.toUpperCase()}[${String(bit)}]`;
