/**
 * Rules of a pool: where its VMs must or should be, which hosts fail at once, how many VMs a host takes, and what a VM
 * gets of the CPUs, and in which order VMs that died are started again. `must`: nothing breaks it but an operator who forces it; otherwise it gives way where nothing else is possible.
 */
import { z } from "zod";
import { nameSchema } from "./names.ts";

const must = z.boolean();
/** Of VMs that died: those of a higher one are started first. */
export const restartPrioritySchema = z.enum(["highest", "high", "medium", "low", "lowest", "never"]);
export type RestartPriority = z.infer<typeof restartPrioritySchema>;
/** Logical CPUs, like 1.5. */
const cores = z.number().positive().max(4096);

export const poolRuleTermsSchema = z.discriminatedUnion("kind", [
  /** The VMs are on one host. */
  z.strictObject({ kind: z.literal("together"), must }),
  /** No two of the VMs are on one host, or in one rack. */
  z.strictObject({ kind: z.literal("apart"), must, of: z.enum(["host", "rack"]) }),
  /** The VMs are in so many racks at least. */
  z.strictObject({ kind: z.literal("spread"), must, racks: z.int().min(2).max(1000) }),
  /** Each of the VMs is on one of the hosts, or on none of them. */
  z.strictObject({ kind: z.literal("on"), must }),
  z.strictObject({ kind: z.literal("off"), must }),
  /** The hosts fail at once: a rack, a room. */
  z.strictObject({ kind: z.literal("rack"), rack: nameSchema }),
  /** Each of the hosts has so many running VMs at most; without hosts every host of the pool. */
  z.strictObject({ kind: z.literal("maxVms"), count: z.int().min(0).max(10_000) }),
  /** What the planner counts for each of the VMs; shares divide what is left when the pool has too little. */
  z.strictObject({
    kind: z.literal("cpu"),
    reservedCores: cores.optional(),
    limitCores: cores.optional(),
    shares: z.int().min(1).max(1_000_000).optional(),
  }),
  /** How the VMs are started again when they died; after the VMs of other rules of this kind. */
  z.strictObject({
    kind: z.literal("restart"),
    priority: restartPrioritySchema,
    after: z.array(nameSchema).max(100).optional(),
  }),
  /**
   * A resource pool: the VMs, and the resource pools that name it as their parent, divide what it gets. Its shares are its own,
   * however many VMs are in it.
   */
  z.strictObject({
    kind: z.literal("resourcePool"),
    /** Another rule of this kind; absent: it is a part of the whole pool. */
    parent: nameSchema.optional(),
    reservedCores: cores.optional(),
    limitCores: cores.optional(),
    /** Absent: 4000. */
    shares: z.int().min(1).max(1_000_000).optional(),
  }),
  /** Whether the VMs are reset when their guests hang, also where the pool says otherwise. */
  z.strictObject({ kind: z.literal("guestReset"), enabled: z.boolean() }),
]);
export type PoolRuleTerms = z.infer<typeof poolRuleTermsSchema>;
export type PoolRuleKind = PoolRuleTerms["kind"];

export const newPoolRuleSchema = z.strictObject({
  name: nameSchema,
  terms: poolRuleTermsSchema,
  /** Names or ids. */
  vms: z.array(z.string().min(1).max(63)).max(1000).default([]),
  hosts: z.array(nameSchema).max(1000).default([]),
  /** It takes the place of the rule of its name, which there must be: the pool is at no moment without either. */
  replace: z.boolean().default(false),
});
export type NewPoolRule = z.infer<typeof newPoolRuleSchema>;

export const poolRuleSchema = z.object({
  name: nameSchema,
  createdAt: z.iso.datetime(),
  terms: poolRuleTermsSchema,
  vms: z.array(nameSchema),
  hosts: z.array(nameSchema),
  /** Why it does not count now: what it names is not in the pool any more. Null: it counts. */
  idle: z.string().nullable(),
});
export type PoolRuleView = z.infer<typeof poolRuleSchema>;

/** `must`, of the kinds that have it. */
export const isMust = (terms: PoolRuleTerms): boolean => "must" in terms && terms.must;

/** What a rule asks for, as a part of a sentence. */
export function ruleText(rule: {
  terms: PoolRuleTerms;
  vms: readonly string[];
  hosts: readonly string[];
}): string {
  const { terms } = rule;
  const vms = rule.vms.join(", ");
  const hosts = rule.hosts.join(", ");
  const verb = isMust(terms) ? "must" : "should";
  switch (terms.kind) {
    case "together":
      return `${vms} ${verb} be on one host`;
    case "apart":
      return `${vms} ${verb} be ${terms.of === "host" ? "on different hosts" : "in different racks"}`;
    case "spread":
      return `${vms} ${verb} be in ${String(terms.racks)} racks at least`;
    case "on":
      return `${vms} ${verb} be on ${hosts}`;
    case "off":
      return `${vms} ${verb} not be on ${hosts}`;
    case "rack":
      return `${hosts} ${rule.hosts.length === 1 ? "is" : "are"} in rack ${terms.rack}`;
    case "maxVms":
      return `${hosts === "" ? "every host" : hosts} takes ${String(terms.count)} VMs at most`;
    case "cpu":
      return `${vms}: ${cpuText(terms)}`;
    case "restart":
      return `${vms}: ${restartText(terms)}`;
    case "resourcePool":
      return resourcePoolText(terms, vms);
    case "guestReset":
      return `${vms}: ${terms.enabled ? "reset when the guest hangs" : "not reset when the guest hangs"}`;
  }
}

const cpuText = ({ reservedCores, limitCores, shares }: Extract<PoolRuleTerms, { kind: "cpu" }>): string =>
  [
    ...(reservedCores === undefined ? [] : [`${String(reservedCores)} CPUs reserved`]),
    ...(limitCores === undefined ? [] : [`${String(limitCores)} CPUs at most`]),
    ...(shares === undefined ? [] : [`${String(shares)} shares`]),
  ].join(", ");

/** Of a resource pool that says nothing else, as vSphere's "normal". */
export const usualPoolShares = 4000;

function resourcePoolText(
  { parent, shares = usualPoolShares, ...amounts }: Extract<PoolRuleTerms, { kind: "resourcePool" }>,
  vms: string,
): string {
  const place = parent === undefined ? "" : ` of ${parent}`;
  const what = cpuText({ ...amounts, kind: "cpu", shares });
  return `resource pool${place}${vms === "" ? "" : ` with ${vms}`}: ${what}`;
}

const restartText = ({ priority, after = [] }: Extract<PoolRuleTerms, { kind: "restart" }>): string =>
  priority === "never"
    ? "not restarted"
    : `restarted with priority ${priority}${after.length === 0 ? "" : `, after those of ${after.join(", ")}`}`;
