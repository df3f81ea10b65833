/** How a pool saves power: on how many hosts its load has to fit, and what it makes of the others. */
import { z } from "zod";
import { nameSchema } from "./names.ts";

export const consolidationPolicySchema = z.strictObject({
  /** So many hosts stay on. */
  minHosts: z.int().min(1).max(1000),
  /** A host is powered off only if the others are used no more than this, in percent of their cores and of their memory. */
  targetPercent: z.int().min(10).max(80),
  /** So long it must have been so. */
  stableSeconds: z.int().min(30).max(86_400),
});
export type ConsolidationPolicy = z.infer<typeof consolidationPolicySchema>;

/** vSphere DPM's target of 63 %, and half an hour. */
export const usualConsolidation: ConsolidationPolicy = {
  minHosts: 2,
  targetPercent: 63,
  stableSeconds: 1800,
};

/**
 * `empty`: its VMs move away, and then it is powered off. `off`: it is empty, and is powered off. `wake`: it is powered on. `takeBack`: it takes
 * VMs again. `soon`: it is emptied if nothing changes until then. `wait`: something of the pool is under way. `nothing`: the pool stays as it is.
 */
export const consolidationStepSchema = z.object({
  do: z.enum(["empty", "off", "wake", "takeBack", "soon", "wait", "nothing"]),
  host: nameSchema.nullable(),
  /** As a part of a sentence. */
  reason: z.string(),
});
export type ConsolidationStep = z.infer<typeof consolidationStepSchema>;

export const consolidationDecisionSchema = z.object({
  at: z.iso.datetime(),
  step: consolidationStepSchema,
  /** Since when this host could be powered off. */
  candidate: z.object({ host: nameSchema, since: z.iso.datetime() }).nullable(),
  /** Why each host stays on, or off. */
  hosts: z.array(z.object({ host: nameSchema, reason: z.string() })),
});
export type ConsolidationDecision = z.infer<typeof consolidationDecisionSchema>;

export const consolidationViewSchema = z.object({
  pool: nameSchema,
  /** Null: it does not save power. */
  policy: consolidationPolicySchema.nullable(),
  /** Whether it does what it decides: by its automation, full. */
  acts: z.boolean(),
  /** Null: none was made yet. */
  decision: consolidationDecisionSchema.nullable(),
});
export type ConsolidationView = z.infer<typeof consolidationViewSchema>;
