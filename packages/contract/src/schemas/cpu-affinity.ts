/** The logical CPUs of its host that a VM is limited to. Such a VM does not move while it runs: they are another host's CPUs there. */
import { z } from "zod";

export const cpuAffinitySchema = z
  .array(z.int().min(0).max(8191))
  .min(1)
  .max(1024)
  .refine((cpus) => new Set(cpus).size === cpus.length, "names a CPU twice");
export type CpuAffinity = z.infer<typeof cpuAffinitySchema>;
