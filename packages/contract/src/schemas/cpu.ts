/**
 * A CPU as the identification utility reports it: what the hardware (or a file that describes it) says,
 * decoded. The same document is written by `godwit cpu report --json`, kept with a host, and read back.
 */
import { z } from "zod";

/** An unsigned 32-bit register: `0x` and eight hexadecimal digits. */
export const register32Schema = z
  .string()
  .regex(/^0x[0-9a-f]{8}$/, "must be 0x and eight hexadecimal digits");

export const cpuidLeafSchema = z.object({
  leaf: register32Schema,
  subleaf: register32Schema,
  eax: register32Schema,
  ebx: register32Schema,
  ecx: register32Schema,
  edx: register32Schema,
});

/** `value` is null where the register was asked for and could not be read. */
export const msrSchema = z.object({
  msr: register32Schema,
  value: z
    .string()
    .regex(/^0x[0-9a-f]{16}$/, "must be 0x and sixteen hexadecimal digits")
    .nullable(),
});

export const cpuFormatSchema = z.enum([
  /** /dev/cpu/N/cpuid. */
  "cpuid-device",
  /** The CPUID instruction itself, on each logical CPU. */
  "cpuid-instruction",
  /** What QEMU says of its model `max`. */
  "qemu",
  "proc-cpuinfo",
  "godwit-json",
  "vmware-report",
  /** `cpuid -1 -r` of Todd Allen. */
  "cpuid-raw",
  /** AIDA64 and InstLatx64. */
  "aida64",
  "libcpuid",
  "libvirt-xml",
  "lscpu",
  /** The lines `hostCPUID` of a `vmware.log`. */
  "vmware-log",
  "x86info",
  /** Of XenServer and XCP-ng. */
  "xe-host-cpu-info",
]);
export type CpuFormat = z.infer<typeof cpuFormatSchema>;

/** What differs between the logical CPUs of one machine: hybrid parts, or a core that firmware left behind. */
export const coreDifferenceSchema = z.object({
  /** The logical CPUs that are alike among themselves, and differ from the first kind. */
  cpus: z.array(z.int()),
  /** Features that they lack, and that they have beyond the first kind; QEMU property names. */
  lacks: z.array(z.string()),
  adds: z.array(z.string()),
  /** Their family, model and stepping where these differ. */
  signature: z.object({ family: z.int(), model: z.int(), stepping: z.int() }).nullable(),
});

export const cpuReportSchema = z.object({
  version: z.literal(1),
  /** In words: where this comes from, like `/dev/cpu/N/cpuid of host a` or the name of a file. */
  source: z.string(),
  format: cpuFormatSchema,
  /** As CPUID spells it: `GenuineIntel`, `AuthenticAMD`, `HygonGenuine`; `unknown`. */
  vendor: z.string(),
  /** Null where the source does not tell them. */
  family: z.int().nullable(),
  model: z.int().nullable(),
  stepping: z.int().nullable(),
  brand: z.string(),
  /** Of machines and dumps; null where the source does not say. */
  logicalCpus: z.int().nullable(),
  registers: z.object({
    id1ecx: register32Schema.nullable(),
    id1edx: register32Schema.nullable(),
    id81ecx: register32Schema.nullable(),
    id81edx: register32Schema.nullable(),
  }),
  /** Of the first logical CPU, sorted. */
  leaves: z.array(cpuidLeafSchema),
  msrs: z.array(msrSchema),
  /** QEMU property names, sorted; a feature that QEMU has no name for has VMware's, in lower case. */
  features: z.array(z.string()),
  /** Named features of which the source says neither that they are there nor that they are not. */
  unknownFeatures: z.array(z.string()),
  /**
   * Of the features in model-specific registers (`rdctl-no`, `vmx-ept`) those that the source says are there, or
   * are not; QEMU property names, sorted. One in neither list is not known. Absent: nothing is known of any.
   */
  msrFeatures: z.object({ has: z.array(z.string()), lacks: z.array(z.string()) }).optional(),
  /** `SSE1`, `SSE2`, `SSE3`, `SSSE3`, `SSE4.1`, `SSE4.2`, `SSE4A`. */
  sse: z.array(z.string()),
  nx: z.boolean().nullable(),
  cmpxchg16b: z.boolean().nullable(),
  rdtscp: z.boolean().nullable(),
  hyperthreading: z.boolean().nullable(),
  longMode: z.boolean().nullable(),
  /** Whether CPUID can be trapped or overridden for the host's own user level; null: not known. */
  flexMigration: z.boolean().nullable(),
  vmware64: z.boolean().nullable(),
  /** Keys of the EVC modes that it satisfies, in the order of the table. */
  evcModes: z.array(z.string()),
  /** The hypervisor that the source ran under (`KVMKVMKVM`, `VMwareVMware`, `unknown`); null: none. */
  hypervisor: z.string().nullable(),
  /** It describes what a hypervisor offers to guests: the source was not read inside a VM. */
  offered: z.boolean().optional(),
  coreDifferences: z.array(coreDifferenceSchema),
  /** How the VMware utility numbered its run, where the source is a report of it: printed again as it was. */
  utilityRun: z.object({ seed: z.string(), test: z.int() }).optional(),
  /** What the source cannot tell, and what looks odd in it; sentences. */
  notes: z.array(z.string()),
});
export type CpuReport = z.infer<typeof cpuReportSchema>;
