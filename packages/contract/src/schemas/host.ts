/** A host as the server knows it: whether it answers, whether it takes VMs, and its two reports. */
import { z } from "zod";
import { findingSchema } from "../errors/schemas.ts";
import { acceleratorSchema, hostFactsSchema } from "./host-facts.ts";
import { hostLoadSchema } from "./host-load.ts";
import { hostPowerSchema } from "./host-power.ts";
import { agentUrlSchema } from "./addresses.ts";
import { nameSchema } from "./names.ts";

/**
 * `off`: it takes VMs. `entering`: it takes none any more and still has some. `on`: it takes none, and has none
 * but stopped ones that no other host can take.
 */
export const maintenanceSchema = z.enum(["off", "entering", "on"]);
export type Maintenance = z.infer<typeof maintenanceSchema>;

export const hostViewSchema = z.object({
  name: nameSchema,
  agentUrl: agentUrlSchema,
  /** `standby`: the server has powered it off. */
  state: z.enum(["connected", "unreachable", "standby"]),
  maintenance: maintenanceSchema,
  joinedAt: z.iso.datetime(),
  /** When it last answered, by the server's clock; its load is as of then. */
  seenAt: z.iso.datetime().nullable(),
  unreachableReason: z.string().nullable(),
  pool: nameSchema.nullable(),
  /** What all moves from and to it may use of its link together; null: what that gives. Absent: a server of an earlier version. */
  moveBandwidthMbps: z.number().nullable().optional(),
  /** Null: the server does not control its power. Absent: a server of an earlier version. */
  power: hostPowerSchema.nullable().optional(),
  /** What an operator should know: findings that hold now. */
  alarms: z.array(findingSchema),
  /** What it is, as it was last reported. */
  facts: hostFactsSchema.nullable(),
  /** What it did when it last answered. */
  load: hostLoadSchema.nullable(),
});
export type HostView = z.infer<typeof hostViewSchema>;

/** What a list shows of a host. */
export const hostSummarySchema = hostViewSchema
  .pick({ name: true, state: true, maintenance: true, pool: true, seenAt: true, alarms: true })
  .extend({
    power: hostPowerSchema.nullable().optional(),
    /** Null where the host has not reported yet, as in all that follow. */
    agentVersion: z.string().nullable(),
    qemuVersion: z.string().nullable(),
    accelerator: acceleratorSchema.nullable(),
    logicalCpus: z.int().nullable(),
    usedCpus: z.number().nullable(),
    availableBytes: z.int().nullable(),
    /** VMs that have a process there. */
    runningVms: z.int().nullable(),
  });
export type HostSummary = z.infer<typeof hostSummarySchema>;
