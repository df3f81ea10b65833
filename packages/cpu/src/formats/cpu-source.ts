/** What a machine or a file says of a CPU, before it is decoded: the same for every format. */
import type { CpuFormat, CpuReport } from "@godwit/contract";
import type { LogicalCpu, MsrKnowledge } from "../cpuid/leaves.ts";

export interface CpuSource {
  readonly format: CpuFormat;
  /** In words, for people: a file's name, or a host's and what was read there. */
  readonly label: string;
  /** In the source's order; empty where it reports names instead of registers. */
  readonly cpus: readonly LogicalCpu[];
  /** Where the source reports names (libvirt's XML, /proc/cpuinfo, QEMU). */
  readonly named: NamedCpu | null;
  /** What a finished report states itself, where no registers say it. */
  readonly reported?: ReportedFacts;
  /** What the source does not report, and what looks inconsistent in it. */
  readonly notes: readonly string[];
}

export interface NamedCpu {
  readonly vendor: string | null;
  readonly family: number | null;
  readonly model: number | null;
  readonly stepping: number | null;
  readonly brand: string | null;
  /** How many logical CPUs the machine has, where the source says so. */
  readonly logicalCpus: number | null;
  /** Features that it has; names of the table. */
  readonly features: readonly string[];
  /** Features that it surely lacks; every other named one is not known. */
  readonly lacks: readonly string[];
  /** Features in model-specific registers. */
  readonly msrFeatures?: MsrKnowledge;
}

/** Each is left out where the source does not say it. */
export interface ReportedFacts {
  /** Single registers, where no whole leaves are reported. */
  readonly registers?: { readonly [Name in keyof CpuReport["registers"]]?: number };
  /** Found out on the machine itself, or decided when the report was made. */
  readonly flexMigration?: boolean;
  readonly vmware64?: boolean;
  /** Under what the source was read, or for what it describes a CPU. */
  readonly hypervisor?: string;
  /** It describes what a hypervisor offers to guests, or shows to one; it was not read inside a VM. */
  readonly offered?: boolean;
  /** EVC modes that Godwit found it to satisfy. */
  readonly evcModes?: readonly string[];
  readonly coreDifferences?: CpuReport["coreDifferences"];
  readonly utilityRun?: CpuReport["utilityRun"];
}
