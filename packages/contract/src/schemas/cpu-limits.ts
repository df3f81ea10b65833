/** What VMs get of a host's CPUs at most. */
import { z } from "zod";
import { mostOfHost } from "./host-facts.ts";
import { vmIdSchema } from "./names.ts";

/** Logical CPUs that each gets at most, like 1.5. */
export const cpuLimitsSchema = z
  .array(z.strictObject({ id: vmIdSchema, cpus: z.number().positive().max(4096) }))
  .max(mostOfHost.vms);
export type CpuLimit = z.infer<typeof cpuLimitsSchema>[number];
