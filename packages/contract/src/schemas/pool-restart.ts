/** VMs of a pool that died, and what becomes of them. */
import { z } from "zod";
import { nameSchema, taskIdSchema } from "./names.ts";
import { restartPrioritySchema } from "./pool-rule.ts";

export const deadVmSchema = z.object({
  vm: nameSchema,
  /** Where it ran last. */
  host: nameSchema,
  priority: restartPrioritySchema,
  /** `starting`: by the task. `soon`: it will be started. `held`: something must happen first. `left`: an operator is needed. */
  state: z.enum(["starting", "soon", "held", "left"]),
  /** What it waits for, or why it is left, as a part of a sentence. */
  reason: z.string(),
  task: taskIdSchema.nullable(),
});
export type DeadVm = z.infer<typeof deadVmSchema>;

export const poolRestartsSchema = z.object({
  pool: nameSchema,
  /** Since when the pool restarts VMs; null: it does not. */
  since: z.iso.datetime().nullable(),
  /** The most important first. */
  vms: z.array(deadVmSchema),
});
export type PoolRestarts = z.infer<typeof poolRestartsSchema>;
