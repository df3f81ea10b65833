/** A pool: hosts that share load and, where it has an EVC mode, one CPU baseline. */
import { z } from "zod";
import { findingSchema } from "../errors/schemas.ts";
import { consolidationPolicySchema } from "./consolidation.ts";
import { evcModeKeySchema } from "./evc.ts";
import { guestResetPolicySchema } from "./guest-reset.ts";
import { healthPolicySchema } from "./host-health.ts";
import { poolBalanceSchema } from "./pool-balance.ts";
import { nameSchema } from "./names.ts";

/** What every VM of a pool may see at most. A revision never changes its meaning. */
export const baselineSchema = z.object({
  /** Key and revision: `intel-haswell@1`. */
  mode: evcModeKeySchema,
  /** Microcode-delivered features that all hosts of the pool have, and all VMs are given; sorted. */
  microcode: z.array(z.string()),
});
export type Baseline = z.infer<typeof baselineSchema>;

export const poolViewSchema = z.object({
  name: nameSchema,
  createdAt: z.iso.datetime(),
  /** Null: VMs see what their host has when they are powered on. */
  baseline: baselineSchema.nullable(),
  hosts: z.array(nameSchema),
  /** How far it balances itself. Absent: a server that does not tell. */
  balance: poolBalanceSchema.optional(),
  /** Whether VMs that died are started again. Absent: a server that does not. */
  restartsVms: z.boolean().optional(),
  /** Whether VMs start only where the pool then still bears the loss of any one host. Absent: a server that does not ask. */
  admission: z.boolean().optional(),
  /** When VMs are reset whose guests hang; null: they are not. Absent: a server that does not. */
  guestReset: guestResetPolicySchema.nullable().optional(),
  /** How it saves power; null: it does not. Absent: as above. */
  consolidation: consolidationPolicySchema.nullable().optional(),
  /** What is done about hosts that are not well. Absent: as above. */
  health: healthPolicySchema.optional(),
  /** VMs that run with another baseline than the pool's, and get it when they are next powered on. */
  pendingVms: z.array(nameSchema),
});
export type PoolView = z.infer<typeof poolViewSchema>;

/** What a change of a pool would do, or did. */
export const poolChangeSchema = z.object({
  pool: nameSchema,
  allowed: z.boolean(),
  findings: z.array(findingSchema),
  /** VMs that get the new baseline only when they are next powered on. */
  pendingVms: z.array(nameSchema),
});
export type PoolChange = z.infer<typeof poolChangeSchema>;
