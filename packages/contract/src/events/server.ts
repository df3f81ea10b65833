/** The events of the server, `/api/v1/events`. */
import { z } from "zod";
import { findingSchema } from "../errors/schemas.ts";
import { datastoreSourceSchema } from "../schemas/datastore-source.ts";
import { consolidationPolicySchema } from "../schemas/consolidation.ts";
import { maintenanceSchema } from "../schemas/host.ts";
import { powerStateSchema } from "../schemas/host-power.ts";
import { guestResetPolicySchema } from "../schemas/guest-reset.ts";
import { healthPolicySchema } from "../schemas/host-health.ts";
import { nameSchema, taskIdSchema } from "../schemas/names.ts";
import { networkDefinitionSchema, switchDefinitionSchema } from "../schemas/network.ts";
import { vxlanSettingsSchema } from "../schemas/vxlan.ts";
import { baselineSchema } from "../schemas/pool.ts";
import { poolBalanceSchema } from "../schemas/pool-balance.ts";
import { poolRuleTermsSchema } from "../schemas/pool-rule.ts";
import { pauseReasonSchema, vmStateSchema } from "../schemas/vm-view.ts";
import { taskSchema } from "../tasks/registry.ts";
import { defineEvent } from "./event.ts";

const nothing = z.object({});
const place = z.object({
  name: nameSchema,
  host: nameSchema,
  state: vmStateSchema,
  /** Of a VM that stands still. */
  pauseReason: pauseReasonSchema.nullable().optional(),
});
const consoleUser = z.object({ name: nameSchema, user: z.string() });

const taskEvents = [defineEvent("task.changed", "task", z.object({ task: taskSchema }))] as const;

const vmEvents = [
  defineEvent("vm.created", "vm", place),
  defineEvent("vm.stateChanged", "vm", place),
  defineEvent("vm.deleted", "vm", nothing),
  /** Its lease was taken away: an operator confirmed that the host is off, or the host was fenced. */
  defineEvent("vm.leaseBroken", "vm", z.object({ host: nameSchema })),
  defineEvent("vm.consoleOpened", "vm", consoleUser),
  defineEvent("vm.consoleClosed", "vm", consoleUser),
] as const;

const hostEvents = [
  defineEvent("host.joined", "host", nothing),
  defineEvent("host.removed", "host", nothing),
  defineEvent("host.lost", "host", z.object({ reason: z.string() })),
  /** A host that was lost answers again. */
  defineEvent("host.returned", "host", nothing),
  /** It is another than before: the parts of its facts that changed. */
  defineEvent("host.factsChanged", "host", z.object({ parts: z.array(z.string()) })),
  defineEvent("host.alarmsChanged", "host", z.object({ alarms: z.array(findingSchema) })),
  defineEvent("host.moveBandwidthChanged", "host", z.object({ moveBandwidthMbps: z.number().nullable() })),
  defineEvent("host.maintenanceChanged", "host", z.object({ maintenance: maintenanceSchema })),
  /** The server powers it off or on. `state` null: it is as its agent tells. `pool`: that does it to save power; null: an operator. */
  defineEvent(
    "host.powerChanged",
    "host",
    z.object({ state: powerStateSchema.nullable(), pool: nameSchema.nullable() }),
  ),
  defineEvent("host.didNotWake", "host", z.object({ reason: z.string() })),
] as const;

const datastoreEvents = [
  /** `hosts`: those that it was defined for now; null: every host. */
  defineEvent(
    "datastore.added",
    "datastore",
    z.object({
      shared: z.boolean(),
      source: datastoreSourceSchema,
      hosts: z.array(nameSchema).nullable(),
      /** From an agent's own configuration. */
      takenOver: z.boolean(),
    }),
  ),
  /** Persistent reservations were turned on or off. */
  defineEvent("datastore.reservationsSet", "datastore", z.object({ on: z.boolean() })),
  /** Null: there is none any more. */
  defineEvent("datastore.fenceProgramSet", "datastore", z.object({ program: z.string().nullable() })),
  /** A host is being fenced there: written before the storage takes its access away. */
  defineEvent("datastore.accessRevoked", "datastore", z.object({ host: nameSchema })),
  defineEvent("datastore.accessRestored", "datastore", z.object({ host: nameSchema })),
  /** `host`: only there; null: everywhere. */
  defineEvent("datastore.removed", "datastore", z.object({ host: nameSchema.nullable() })),
] as const;

const imageEvents = [
  defineEvent("image.added", "image", z.object({ datastore: nameSchema, origin: z.string() })),
  defineEvent("image.deleted", "image", z.object({ datastore: nameSchema })),
] as const;

const networkEvents = [
  /** `hosts`: those that it was defined for now; null: every host. */
  defineEvent(
    "switch.added",
    "switch",
    switchDefinitionSchema
      .omit({ name: true })
      .extend({ hosts: z.array(nameSchema).nullable(), vxlan: vxlanSettingsSchema.optional() }),
  ),
  /** `host`: only there; null: everywhere. */
  defineEvent("switch.removed", "switch", z.object({ host: nameSchema.nullable() })),
  defineEvent("switch.changed", "switch", z.object({ mtu: z.int() })),
  defineEvent("network.added", "network", networkDefinitionSchema.omit({ name: true })),
  defineEvent("network.changed", "network", networkDefinitionSchema.omit({ name: true })),
  defineEvent("network.removed", "network", nothing),
] as const;

const poolEvents = [
  defineEvent(
    "pool.created",
    "pool",
    z.object({ baseline: baselineSchema.nullable(), hosts: z.array(nameSchema) }),
  ),
  defineEvent("pool.removed", "pool", nothing),
  defineEvent("pool.hostAdded", "pool", z.object({ host: nameSchema })),
  defineEvent("pool.hostRemoved", "pool", z.object({ host: nameSchema })),
  defineEvent(
    "pool.ruleAdded",
    "pool",
    z.object({
      rule: nameSchema,
      terms: poolRuleTermsSchema,
      vms: z.array(nameSchema),
      hosts: z.array(nameSchema),
    }),
  ),
  defineEvent("pool.balanceChanged", "pool", poolBalanceSchema),
  /** A move that the balancer made failed; its VM is left alone for a while. */
  defineEvent(
    "pool.moveFailed",
    "pool",
    z.object({ vm: nameSchema, to: nameSchema, task: taskIdSchema, reason: z.string() }),
  ),
  defineEvent("pool.healthChanged", "pool", z.object({ policy: healthPolicySchema })),
  defineEvent("pool.admissionChanged", "pool", z.object({ enabled: z.boolean() })),
  defineEvent("pool.restartChanged", "pool", z.object({ enabled: z.boolean() })),
  /** A VM that died was started again. */
  defineEvent(
    "pool.vmRestarted",
    "pool",
    z.object({ vm: nameSchema, from: nameSchema, to: nameSchema, task: taskIdSchema }),
  ),
  defineEvent(
    "pool.restartFailed",
    "pool",
    z.object({ vm: nameSchema, to: nameSchema, task: taskIdSchema, reason: z.string() }),
  ),
  defineEvent(
    "pool.consolidationChanged",
    "pool",
    z.object({ policy: consolidationPolicySchema.nullable() }),
  ),
  defineEvent("pool.guestResetChanged", "pool", z.object({ policy: guestResetPolicySchema.nullable() })),
  /** A VM whose guest hung was reset. */
  defineEvent(
    "pool.guestReset",
    "pool",
    z.object({ vm: nameSchema, host: nameSchema, task: taskIdSchema, silentSeconds: z.number() }),
  ),
  defineEvent(
    "pool.guestResetFailed",
    "pool",
    z.object({ vm: nameSchema, host: nameSchema, task: taskIdSchema, reason: z.string() }),
  ),
  defineEvent("pool.ruleRemoved", "pool", z.object({ rule: nameSchema })),
  defineEvent(
    "pool.baselineChanged",
    "pool",
    z.object({ before: baselineSchema.nullable(), after: baselineSchema.nullable() }),
  ),
] as const;

export const serverEventSchema = z.discriminatedUnion("type", [
  ...taskEvents,
  ...vmEvents,
  ...hostEvents,
  ...datastoreEvents,
  ...imageEvents,
  ...networkEvents,
  ...poolEvents,
]);
export type ServerEvent = z.infer<typeof serverEventSchema>;
