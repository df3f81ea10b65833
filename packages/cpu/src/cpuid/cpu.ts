/**
 * What is known of one kind of CPU, ready for comparing: the report's values as numbers and sets. A feature
 * is present, absent, or not known; what is not known never counts as present or absent.
 */
import type { CpuReport } from "@godwit/contract";
import type { CpuidLeaf, MsrKnowledge, MsrValue } from "./leaves.ts";

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
  /** Of the features in model-specific registers. Absent: none is known. */
  readonly msrFeatures?: MsrKnowledge;
  /** Whether it was read inside a VM, or describes what a hypervisor offers. */
  readonly virtual: boolean;
  /** Of the two the second: it shows what guests can get, not what one was shown. */
  readonly offered: boolean;
  /** Its logical CPUs are not all alike: `features` are those that all of them have. */
  readonly mixedCores: boolean;
  /** What only some of them have. */
  readonly someCores?: ReadonlySet<string>;
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
    leaves: report.leaves.map(leafOfReport),
    msrs: msrsOfReport(report),
    features: onAllCores(report),
    unknown: new Set(report.unknownFeatures),
    ...(report.msrFeatures === undefined ? {} : { msrFeatures: report.msrFeatures }),
    virtual: report.hypervisor !== null,
    offered: report.hypervisor !== null && isOffered(report),
    mixedCores: report.coreDifferences.length > 0,
    someCores: onSomeCores(report),
  };
}

/** Older reports do not say; a CPU that shows the hypervisor's bit was then read inside a VM. */
export const isOffered = ({ offered, features }: CpuReport): boolean =>
  offered ?? !features.includes("hypervisor");

/** A report writes numbers as text, with `0x`. */
export const leafOfReport = (texts: CpuReport["leaves"][number]): CpuidLeaf => ({
  leaf: Number(texts.leaf),
  subleaf: Number(texts.subleaf),
  eax: Number(texts.eax),
  ebx: Number(texts.ebx),
  ecx: Number(texts.ecx),
  edx: Number(texts.edx),
});

export const msrsOfReport = ({ msrs }: Pick<CpuReport, "msrs">): MsrValue[] =>
  msrs.map(({ msr, value }) => ({ msr: Number(msr), value: value === null ? null : BigInt(value) }));

/** A guest is moved from core to core: what one of them lacks, the host lacks. */
function onAllCores({ features, coreDifferences }: CpuReport): ReadonlySet<string> {
  const lacking = new Set(coreDifferences.flatMap(({ lacks }) => lacks));
  return new Set(features.filter((name) => !lacking.has(name)));
}

const onSomeCores = ({ coreDifferences }: CpuReport): ReadonlySet<string> =>
  new Set(coreDifferences.flatMap(({ lacks, adds }) => [...lacks, ...adds]));

/** null: the source did not say. */
export const has = (cpu: Cpu, feature: string): boolean | null =>
  cpu.features.has(feature) ? true : cpu.unknown.has(feature) ? null : false;
