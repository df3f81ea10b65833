/** Pools, a part of the server's API. */
import { z } from "zod";
import { evcModeKeySchema } from "../schemas/evc.ts";
import { healthPolicySchema } from "../schemas/host-health.ts";
import { nameSchema } from "../schemas/names.ts";
import { frozenVmSchema, poolBalanceSchema, poolRoundSchema } from "../schemas/pool-balance.ts";
import { planRequestSchema, poolExplanationSchema, poolPlanSchema } from "../schemas/pool-plan.ts";
import { poolRestartsSchema } from "../schemas/pool-restart.ts";
import { newPoolRuleSchema, poolRuleSchema } from "../schemas/pool-rule.ts";
import { poolUpdateOrderSchema, poolUpdatePlanSchema } from "../schemas/pool-update.ts";
import { taskSchemas } from "../tasks/registry.ts";
import { poolChangeSchema, poolViewSchema } from "../schemas/pool.ts";
import type { Operations } from "./operation.ts";

const poolParams = z.strictObject({ pool: z.string().min(1).max(63) });
const poolHostParams = z.strictObject({
  pool: z.string().min(1).max(63),
  host: z.string().min(1).max(63),
});

export const planErrors = ["POOL_PLAN_LATE", "POOL_PLAN_FAILED", "POOL_PLANS_TOO_MANY"] as const;

export const poolOperations = {
  poolList: {
    method: "GET",
    path: "/api/v1/pools",
    privilege: "admin",
    summary: "All pools",
    answer: { status: 200, body: z.object({ pools: z.array(poolViewSchema) }) },
    errors: [],
  },
  poolShow: {
    method: "GET",
    path: "/api/v1/pools/{pool}",
    privilege: "admin",
    summary: "One pool",
    params: poolParams,
    answer: { status: 200, body: poolViewSchema },
    errors: ["POOL_UNKNOWN"],
  },
  poolCreate: {
    method: "POST",
    path: "/api/v1/pools",
    privilege: "admin",
    summary: "Create a pool, with an EVC mode and hosts where they are named; all of it or nothing",
    body: z.strictObject({
      name: nameSchema,
      evcMode: evcModeKeySchema.optional(),
      hosts: z.array(nameSchema).max(1000).default([]),
    }),
    answer: { status: 201, body: poolViewSchema },
    errors: ["POOL_EXISTS", "EVC_MODE_UNKNOWN", "HOST_UNKNOWN", "HOST_IN_OTHER_POOL", "POOL_CHANGE_REFUSED"],
  },
  poolDelete: {
    method: "DELETE",
    path: "/api/v1/pools/{pool}",
    privilege: "admin",
    summary: "Remove a pool that has no hosts",
    params: poolParams,
    answer: { status: 204 },
    errors: ["POOL_UNKNOWN", "POOL_NOT_EMPTY"],
  },
  poolHostCheck: {
    method: "GET",
    path: "/api/v1/pools/{pool}/hosts/{host}/check",
    privilege: "admin",
    summary: "All reasons for which a host would not be admitted to a pool",
    params: poolHostParams,
    answer: { status: 200, body: poolChangeSchema },
    errors: ["POOL_UNKNOWN", "HOST_UNKNOWN"],
  },
  poolHostAdd: {
    method: "PUT",
    path: "/api/v1/pools/{pool}/hosts/{host}",
    privilege: "admin",
    summary: "Add a host to a pool; adding it again changes nothing",
    params: poolHostParams,
    answer: { status: 200, body: poolViewSchema },
    errors: ["POOL_UNKNOWN", "HOST_UNKNOWN", "HOST_IN_OTHER_POOL", "POOL_CHANGE_REFUSED"],
  },
  poolHostRemove: {
    method: "DELETE",
    path: "/api/v1/pools/{pool}/hosts/{host}",
    privilege: "admin",
    summary: "Remove a host from a pool; its running VMs keep their CPU features",
    params: poolHostParams,
    answer: { status: 200, body: poolViewSchema },
    errors: ["POOL_UNKNOWN", "HOST_UNKNOWN"],
  },
  poolEvcCheck: {
    method: "POST",
    path: "/api/v1/pools/{pool}/evc/check",
    privilege: "admin",
    summary:
      "All reasons for which a pool's EVC mode would not be changed, and the VMs that would get it at their next power-on",
    params: poolParams,
    body: z.strictObject({ evcMode: evcModeKeySchema.nullable() }),
    answer: { status: 200, body: poolChangeSchema },
    errors: ["POOL_UNKNOWN", "EVC_MODE_UNKNOWN"],
  },
  poolEvcSet: {
    method: "PUT",
    path: "/api/v1/pools/{pool}/evc",
    privilege: "admin",
    summary: "Raise, lower, set or remove (null) a pool's EVC mode",
    params: poolParams,
    body: z.strictObject({ evcMode: evcModeKeySchema.nullable() }),
    answer: { status: 200, body: poolChangeSchema },
    errors: ["POOL_UNKNOWN", "EVC_MODE_UNKNOWN", "POOL_CHANGE_REFUSED"],
  },
  poolRuleList: {
    method: "GET",
    path: "/api/v1/pools/{pool}/rules",
    privilege: "admin",
    summary: "The rules of a pool",
    params: poolParams,
    answer: { status: 200, body: z.object({ rules: z.array(poolRuleSchema) }) },
    errors: ["POOL_UNKNOWN"],
  },
  poolRuleAdd: {
    method: "POST",
    path: "/api/v1/pools/{pool}/rules",
    privilege: "admin",
    summary: "Add a rule; one that cannot hold beside the others is refused, with the reasons",
    params: poolParams,
    body: newPoolRuleSchema,
    answer: { status: 201, body: poolRuleSchema },
    errors: [
      "POOL_UNKNOWN",
      "VM_UNKNOWN",
      "HOST_UNKNOWN",
      "HOST_NOT_IN_POOL",
      "POOL_RULE_EXISTS",
      "POOL_RULES_TOO_MANY",
      "POOL_RULE_REFUSED",
    ],
  },
  poolRuleRemove: {
    method: "DELETE",
    path: "/api/v1/pools/{pool}/rules/{rule}",
    privilege: "admin",
    summary: "Remove a rule",
    params: z.strictObject({ pool: z.string().min(1).max(63), rule: z.string().min(1).max(63) }),
    answer: { status: 204 },
    errors: ["POOL_UNKNOWN", "POOL_RULE_UNKNOWN"],
  },
  poolBalanceSet: {
    method: "PATCH",
    path: "/api/v1/pools/{pool}/balance",
    privilege: "admin",
    summary: "Set how far a pool balances itself; what is left out stays",
    params: poolParams,
    body: poolBalanceSchema.partial().strict(),
    answer: { status: 200, body: poolBalanceSchema },
    errors: ["POOL_UNKNOWN"],
  },
  poolRestartSet: {
    method: "PUT",
    path: "/api/v1/pools/{pool}/restart",
    privilege: "admin",
    summary: "Set whether a pool starts VMs again that died, on hosts that have room",
    params: poolParams,
    body: z.strictObject({ enabled: z.boolean() }),
    answer: { status: 200, body: poolRestartsSchema },
    errors: ["POOL_UNKNOWN"],
  },
  poolRestarts: {
    method: "GET",
    path: "/api/v1/pools/{pool}/restarts",
    privilege: "admin",
    summary: "VMs of a pool that died, and what each waits for",
    params: poolParams,
    answer: { status: 200, body: poolRestartsSchema },
    errors: ["POOL_UNKNOWN"],
  },
  poolHealthSet: {
    method: "PUT",
    path: "/api/v1/pools/{pool}/health",
    privilege: "admin",
    summary: "Set what a pool does of itself about hosts that are not well",
    params: poolParams,
    body: z.strictObject({ policy: healthPolicySchema }),
    answer: { status: 200, body: poolViewSchema },
    errors: ["POOL_UNKNOWN"],
  },
  poolUpdateCheck: {
    method: "POST",
    path: "/api/v1/pools/{pool}/update/check",
    privilege: "admin",
    summary: "In which order the hosts of a pool would be updated, what would move, and what prevents it",
    params: poolParams,
    body: poolUpdateOrderSchema,
    answer: { status: 200, body: poolUpdatePlanSchema },
    errors: ["POOL_UNKNOWN", "POOL_EMPTY", "HOST_NOT_IN_POOL"],
  },
  poolUpdate: {
    method: "POST",
    path: "/api/v1/pools/{pool}/update",
    privilege: "admin",
    summary:
      "Update the hosts of a pool, one after the other: empty it, run a command there as root, boot it again, look at it, take it back",
    params: poolParams,
    body: poolUpdateOrderSchema,
    answer: { status: 202, body: taskSchemas["pool.update"] },
    errors: ["POOL_UNKNOWN", "POOL_EMPTY", "HOST_NOT_IN_POOL", "POOL_TASK_UNDER_WAY", "POOL_UPDATE_REFUSED"],
  },
  poolAdmissionSet: {
    method: "PUT",
    path: "/api/v1/pools/{pool}/admission",
    privilege: "admin",
    summary: "Set whether VMs start only where the pool then still bears the loss of any one host",
    params: poolParams,
    body: z.strictObject({ enabled: z.boolean() }),
    answer: { status: 200, body: poolViewSchema },
    errors: ["POOL_UNKNOWN"],
  },
  poolRecommendations: {
    method: "GET",
    path: "/api/v1/pools/{pool}/recommendations",
    privilege: "admin",
    summary: "The newest round of a pool's balancer, and VMs that it leaves alone since their moves failed",
    params: poolParams,
    answer: {
      status: 200,
      body: z.object({ round: poolRoundSchema.nullable(), frozen: z.array(frozenVmSchema) }),
    },
    errors: ["POOL_UNKNOWN"],
  },
  poolApply: {
    method: "POST",
    path: "/api/v1/pools/{pool}/apply",
    privilege: "admin",
    summary: "Begin to make the moves of a pool's newest round, each if it still holds",
    params: poolParams,
    /** The round that was looked at. */
    body: z.strictObject({ round: z.int().min(1) }),
    answer: { status: 200, body: poolRoundSchema },
    errors: ["POOL_UNKNOWN", "POOL_ROUND_UNKNOWN", "POOL_ROUND_PAST", "POOL_BALANCING"],
  },
  poolRoundExplain: {
    method: "GET",
    path: "/api/v1/pools/{pool}/rounds/{round}/vms/{vm}/explanation",
    privilege: "admin",
    summary: "Why a VM moved or stayed in a round, by what was known then; `last` is the newest",
    params: z.strictObject({
      pool: z.string().min(1).max(63),
      round: z.string().regex(/^(last|[1-9][0-9]{0,14})$/),
      vm: z.string().min(1).max(63),
    }),
    answer: { status: 200, body: poolExplanationSchema },
    errors: ["POOL_UNKNOWN", "POOL_ROUND_UNKNOWN", "VM_UNKNOWN", "VM_NOT_PLANNED"],
  },
  poolPlan: {
    method: "POST",
    path: "/api/v1/pools/{pool}/plan",
    privilege: "admin",
    summary: "Which VMs would move, in which order and what for; nothing is moved",
    params: poolParams,
    body: planRequestSchema,
    answer: { status: 200, body: poolPlanSchema },
    errors: ["POOL_UNKNOWN", "HOST_NOT_IN_POOL", ...planErrors],
  },
  poolExplain: {
    method: "POST",
    path: "/api/v1/pools/{pool}/vms/{vm}/explain",
    privilege: "admin",
    summary:
      "Why a VM would move or stay: cost, risk and, of every other host, gain and what stands against it",
    params: z.strictObject({ pool: z.string().min(1).max(63), vm: z.string().min(1).max(63) }),
    body: planRequestSchema,
    answer: { status: 200, body: poolExplanationSchema },
    errors: ["POOL_UNKNOWN", "HOST_NOT_IN_POOL", "VM_UNKNOWN", "VM_NOT_PLANNED", ...planErrors],
  },
} as const satisfies Operations;
