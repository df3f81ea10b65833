/** What the planner would do with a pool, and why. Nothing of it is done: a plan is a recommendation. */
import { z } from "zod";
import { evcModeKeySchema } from "./evc.ts";
import { nameSchema } from "./names.ts";

/** `happy`: VMs move only where somebody gains. `even`: hosts are to be used alike. */
export const planGoalSchema = z.enum(["happy", "even"]);
export type PlanGoal = z.infer<typeof planGoalSchema>;

export const planRequestSchema = z.strictObject({
  goal: planGoalSchema.default("happy"),
  /** 1: only what maintenance demands. 5: every gain is worth a move. */
  threshold: z.int().min(1).max(5).default(3),
  /** As if these hosts were to be emptied. */
  without: z.array(nameSchema).max(1000).default([]),
  /** With these hosts beside: one of the pool is one more that is like it, another comes with its VMs. */
  add: z.array(nameSchema).max(100).default([]),
  /** As if the pool had this EVC mode, and its VMs had been powered on with it. */
  evcMode: evcModeKeySchema.optional(),
});
export type PlanRequest = z.infer<typeof planRequestSchema>;

export const plannedMoveSchema = z.object({
  vm: nameSchema,
  from: nameSchema.nullable(),
  to: nameSchema,
  /** `must`: where it is it must not stay. `load`: it gains more than it costs. */
  reason: z.enum(["must", "load"]),
  /** Core-seconds within the next hour: saved, spent, at risk. */
  gain: z.number(),
  cost: z.number(),
  risk: z.number(),
  /** Positions of the moves that must have ended before it may begin. */
  after: z.array(z.int()),
});

const standingSchema = z.object({
  /** VMs on hosts that are to be emptied. */
  mustLeave: z.int(),
  /** Of a host's cores, and of its memory: the highest of all hosts, 1 is all of it. */
  highestCpu: z.number(),
  highestMemory: z.number(),
  /** Whether the loss of any one host leaves room for its VMs; else a host for whose VMs there is none. */
  survivesFailure: z.boolean(),
  failingHost: nameSchema.nullable(),
});

export const poolPlanSchema = z.object({
  pool: nameSchema,
  request: planRequestSchema,
  moves: z.array(plannedMoveSchema),
  before: standingSchema,
  after: standingSchema,
  /** VMs that must leave their host and have no place as things are. */
  stuck: z.array(nameSchema),
  /** VMs whose load is not known for long enough: only what must be moves them. */
  unmeasured: z.array(nameSchema),
  /** Hosts that are not counted on, and why. */
  absent: z.array(z.object({ host: nameSchema, reason: z.string() })),
  /** Why it can do little or nothing, as sentences. Absent: a server that does not tell. */
  notes: z.array(z.string()).optional(),
  /** With an EVC mode: VMs that would have to be powered off and on first. */
  powerCycle: z.array(nameSchema).optional(),
});
export type PoolPlan = z.infer<typeof poolPlanSchema>;

export const poolExplanationSchema = z.object({
  pool: nameSchema,
  vm: nameSchema,
  from: nameSchema.nullable(),
  /** Null: it stays. */
  to: nameSchema.nullable(),
  sentence: z.string(),
  /** Core-seconds within the next hour; a move is worth it above `caution` times the sum of both. */
  cost: z.number(),
  risk: z.number(),
  caution: z.number(),
  /** Other hosts, best first. */
  candidates: z.array(
    z.object({
      host: nameSchema,
      gain: z.number(),
      net: z.number(),
      /** What keeps the VM from going there; none: it could. */
      against: z.array(z.string()),
    }),
  ),
});
export type PoolExplanation = z.infer<typeof poolExplanationSchema>;
