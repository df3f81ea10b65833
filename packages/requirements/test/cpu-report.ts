/** What the identification utility says of a CPU that has just these features. */
import { cpuReportSchema, type CpuReport } from "@godwit/contract";

export function cpuReport(
  features: readonly string[],
  unknown: readonly string[] = [],
  vendor = "GenuineIntel",
): CpuReport {
  return cpuReportSchema.parse({
    version: 1,
    source: "a test",
    format: "cpuid-device",
    vendor,
    family: 6,
    model: 26,
    stepping: 5,
    brand: "",
    logicalCpus: 8,
    registers: { id1ecx: null, id1edx: null, id81ecx: null, id81edx: null },
    leaves: [],
    msrs: [],
    features: [...features].sort(),
    unknownFeatures: [...unknown].sort(),
    sse: [],
    nx: null,
    cmpxchg16b: null,
    rdtscp: null,
    hyperthreading: null,
    longMode: null,
    flexMigration: null,
    vmware64: null,
    evcModes: [],
    hypervisor: null,
    coreDifferences: [],
    notes: [],
  });
}
