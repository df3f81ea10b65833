/**
 * What is known of one kind of CPU, ready for comparing: the report's words as numbers and sets. Three answers
 * to "has it this feature?": yes, no, and not known. Nothing that is not known may pass for a no or a yes.
 */
import type { CpuReport } from "@godwit/contract";
import type { CpuidLeaf, MsrValue } from "./leaves.ts";

export interface Cpu {
  /** What people call it: a host's or a file's name. */
  readonly label: string;
  readonly vendor: string;
  readonly family: number | null;
  readonly model: number | null;
  readonly stepping: number | null;
  readonly brand: string;
  readonly leaves: readonly CpuidLeaf[];
  readonly msrs: readonly MsrValue[];
  readonly features: ReadonlySet<string>;
  readonly unknown: ReadonlySet<string>;
  /** Whether these words were read inside a VM, or describe what a hypervisor offers. */
  readonly virtual: boolean;
  /** Its logical CPUs are not all alike: `features` are those that all of them have. */
  readonly mixedCores: boolean;
}

/** @param label what people call it; default: the report's source */
export function cpuOf(report: CpuReport, label = report.source): Cpu {
  return {
    label,
    vendor: report.vendor,
    family: report.family,
    model: report.model,
    stepping: report.stepping,
    brand: report.brand,
    leaves: report.leaves.map(({ leaf, subleaf, eax, ebx, ecx, edx }) => ({
      leaf: Number(leaf),
      subleaf: Number(subleaf),
      eax: Number(eax),
      ebx: Number(ebx),
      ecx: Number(ecx),
      edx: Number(edx),
    })),
    msrs: report.msrs.map(({ msr, value }) => ({
      msr: Number(msr),
      value: value === null ? null : BigInt(value),
    })),
    features: onAllCores(report),
    unknown: new Set(report.unknownFeatures),
    virtual: report.hypervisor !== null,
    mixedCores: report.coreDifferences.length > 0,
  };
}

/** A guest is moved from core to core: what one of them lacks, the host lacks. */
function onAllCores({ features, coreDifferences }: CpuReport): ReadonlySet<string> {
  const lacking = new Set(coreDifferences.flatMap(({ lacks }) => lacks));
  return new Set(features.filter((name) => !lacking.has(name)));
}

/** null: the source did not say. */
export const has = (cpu: Cpu, feature: string): boolean | null =>
  cpu.features.has(feature) ? true : cpu.unknown.has(feature) ? null : false;
