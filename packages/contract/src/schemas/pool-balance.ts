/** How far a pool balances itself, and its rounds: what was planned, and what became of it. */
import { z } from "zod";
import { taskIdSchema, nameSchema } from "./names.ts";
import { planGoalSchema, plannedMoveSchema } from "./pool-plan.ts";

/**
 * `off`: nothing is planned. `manual`: moves are recommended. `partial`: and VMs start where the planner places them.
 * `full`: and the moves are made.
 */
export const automationSchema = z.enum(["off", "manual", "partial", "full"]);
export type Automation = z.infer<typeof automationSchema>;

export const poolBalanceSchema = z.object({
  automation: automationSchema,
  threshold: z.int().min(1).max(5),
  goal: planGoalSchema,
});
export type PoolBalance = z.infer<typeof poolBalanceSchema>;

export const roundMoveSchema = plannedMoveSchema.extend({
  /** `recommended`: nobody has begun it. `skipped`: it did not hold any more, or one before it failed. */
  state: z.enum(["recommended", "running", "done", "failed", "skipped"]),
  /** Why it failed or was skipped. */
  detail: z.string().nullable(),
  task: taskIdSchema.nullable(),
});
export type RoundMove = z.infer<typeof roundMoveSchema>;

export const poolRoundSchema = z.object({
  pool: nameSchema,
  round: z.int(),
  at: z.iso.datetime(),
  balance: poolBalanceSchema,
  moves: z.array(roundMoveSchema),
  stuck: z.array(nameSchema),
  unmeasured: z.array(nameSchema),
});
export type PoolRound = z.infer<typeof poolRoundSchema>;

/** A VM whose move failed is left alone for a while. */
export const frozenVmSchema = z.object({ vm: nameSchema, until: z.iso.datetime(), task: taskIdSchema });
export type FrozenVm = z.infer<typeof frozenVmSchema>;
