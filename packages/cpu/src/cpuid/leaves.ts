/** What CPUID answers, as numbers. A register is an unsigned 32-bit integer. */
import type { CpuFeature, Register } from "../features/feature.ts";

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

/** Whether a bit is set; 0 ≤ bit ≤ 31. */
export const bitOf = (value: number, bit: number): boolean => ((value >>> bit) & 1) === 1;

/** `0x` and eight digits. */
export const hex32 = (value: number): string => `0x${(value >>> 0).toString(16).padStart(8, "0")}`;

/** Where a feature's bit stands, for people: `CPUID.7.0:EBX[9]`. */
export const placeOf = ({ leaf, subleaf, register, bit }: CpuFeature): string =>
  `CPUID.${leaf.toString(16).toUpperCase()}${leaf === 7 || leaf === 0xd ? `.${String(subleaf)}` : ""}:${register.toUpperCase()}[${String(bit)}]`;
