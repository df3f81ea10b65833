/** How a host weights and limits the CPUs of its VMs, a part of the agent's API. */
import { z } from "zod";
import { cpuLimitsSchema } from "../schemas/cpu-limits.ts";
import { mostOfHost } from "../schemas/host-facts.ts";
import { vmIdSchema } from "../schemas/names.ts";
import type { Operations } from "./operation.ts";

export const cpuWeightOperations = {
  cpuWeightsPut: {
    method: "PUT",
    path: "/agent/v1/cpu-weights",
    privilege: "server",
    summary:
      "Weights of VMs where they want more CPUs than there are (cpu.weight); those that run here and are not named have 100. Asking again changes nothing",
    body: z.strictObject({
      vms: z
        .array(z.strictObject({ id: vmIdSchema, weight: z.int().min(1).max(10_000) }))
        .max(mostOfHost.vms),
    }),
    /** VMs whose weight could not be set, and why. */
    answer: {
      status: 200,
      body: z.object({ failed: z.array(z.object({ id: vmIdSchema, reason: z.string() })) }),
    },
    errors: [],
  },
  cpuLimitsPut: {
    method: "PUT",
    path: "/agent/v1/cpu-limits",
    privilege: "server",
    summary:
      "CPUs that VMs get at most (cpu.max), those that run here and those that may come; all others have no limit. Kept for when they are started. Asking again changes nothing",
    body: z.strictObject({ vms: cpuLimitsSchema }),
    /** VMs that run here and whose limit could not be set, and why. */
    answer: {
      status: 200,
      body: z.object({ failed: z.array(z.object({ id: vmIdSchema, reason: z.string() })) }),
    },
    errors: [],
  },
} as const satisfies Operations;
