/**
 * Whether a CPU lets its host change or trap what CPUID answers to user programs: Intel's FlexMigration, AMD's
 * Extended Migration. Known from a register where one was read; by model only where the model is known to have it
 * or not; else it is not known. Inside a VM CPUID says nothing of it. (Guests under VMX or SVM need none of
 * this: there CPUID is always trapped.) Sources: Xen's table of masking MSRs by model, its test for CPUID
 * faulting, and the values of MSR 0xCE that people have published of their CPUs.
 */
import { bitOf, type MsrValue } from "../cpuid/leaves.ts";

export interface FlexMigration {
  /** null: not known. */
  readonly has: boolean | null;
  /** How that is known, or why it is not; a sentence. */
  readonly because: string;
}

export interface FlexFacts {
  readonly vendor: string;
  readonly family: number | null;
  readonly model: number | null;
  /** CPUID.80000021:EAX; undefined: not reported. */
  readonly leaf21: number | undefined;
  readonly msrs: readonly MsrValue[];
  readonly virtual: boolean;
}

/** Family 6; the MSRs that override CPUID there. */
const intelMasks: ReadonlyMap<number, string> = new Map([
  ...[0x17, 0x1d].map((model) => [model, "MSR 0x478"] as const),
  ...[0x1a, 0x1e, 0x1f, 0x25, 0x2c, 0x2e, 0x2f].map((model) => [model, "MSRs 0x130 and 0x131"] as const),
  ...[0x2a, 0x2d].map((model) => [model, "MSRs 0x132 to 0x134"] as const),
]);

/** Family 6, Ivy Bridge, Avoton, Goldmont and what came after them: MSR 0xCE bit 31 was 1 in each that was looked at. */
const intelFaulting: ReadonlySet<number> = new Set([
  ...[0x3a, 0x3e, 0x3c, 0x3f, 0x45, 0x46, 0x3d, 0x47, 0x4f, 0x56],
  ...[0x4e, 0x5e, 0x55, 0x8e, 0x9e, 0xa5, 0xa6, 0x66, 0x6a, 0x6c, 0x7d, 0x7e, 0x8c, 0x8d, 0xa7],
  ...[0x8f, 0xcf, 0x97, 0x9a, 0xb7, 0xba, 0xbf],
  ...[0x4d, 0x5c, 0x5f, 0x7a, 0x86, 0x96, 0x9c],
]);

/** Family 6, before those: the bit was 0, and they have no masking MSRs. */
const intelNothing: ReadonlySet<number> = new Set([
  ...[0x0e, 0x0f, 0x15, 0x16, 0x1c, 0x26, 0x36, 0x37, 0x4a, 0x4c, 0x5a, 0x5d],
]);

const platformInfo = 0xce;
const amdMask = 0xc0011004;

export function flexMigrationOf(facts: FlexFacts): FlexMigration {
  if (facts.virtual) {
    return unknown(
      "this was read inside a VM or describes one, and what the hardware can do does not show there",
    );
  }
  if (facts.vendor === "GenuineIntel") return intel(facts);
  return facts.vendor === "AuthenticAMD"
    ? amd(facts)
    : unknown(`nothing is known of it for the vendor ${facts.vendor}`);
}

function intel({ family, model, msrs }: FlexFacts): FlexMigration {
  const value = msrs.find((one) => one.msr === platformInfo)?.value ?? null;
  const faulting = value === null ? null : (value >> 31n) % 2n === 1n;
  if (faulting === true) return { has: true, because: "CPUID faulting: MSR 0xCE bit 31 is 1" };
  if (family !== 6 || model === null) {
    return unknown(
      value === null ? "MSR 0xCE was not read" : "the model is not known to have masking MSRs or none",
    );
  }
  const masks = intelMasks.get(model);
  if (masks !== undefined) return { has: true, because: `this model has ${masks}` };
  if (faulting === false)
    return { has: false, because: "MSR 0xCE bit 31 is 0, and this model has no masking MSRs" };
  if (intelFaulting.has(model))
    return { has: true, because: "by its model: Ivy Bridge, Avoton and later have CPUID faulting" };
  if (intelNothing.has(model))
    return { has: false, because: "by its model: it came before CPUID faulting and has no masking MSRs" };
  return unknown("MSR 0xCE was not read");
}

function amd({ family, model, leaf21, msrs }: FlexFacts): FlexMigration {
  if (leaf21 !== undefined && bitOf(leaf21, 17))
    return { has: true, because: "CPUID can be denied to user programs: CPUID.80000021:EAX[17] is 1" };
  if (msrs.some(({ msr, value }) => msr === amdMask && value !== null))
    return { has: true, because: "MSR 0xC0011004 could be read" };
  if (family === null || model === null || family < 0xf)
    return unknown("nothing is known of it for this family");
  const has = family !== 0x11 && (family > 0xf || model >= 0x20);
  return {
    has,
    because: has
      ? "by its model: it has MSRs 0xC0011004 and 0xC0011005"
      : "by its model: it has no masking MSRs",
  };
}

const unknown = (because: string): FlexMigration => ({ has: null, because });
