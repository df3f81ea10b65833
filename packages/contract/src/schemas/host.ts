/** What an agent reports about its host, and a host as the server knows it. */
import { z } from "zod";
import { findingSchema } from "../errors/schemas.ts";
import { cpuReportSchema } from "./cpu.ts";
import { datastoreIdSchema, nameSchema } from "./names.ts";
import { vmRuntimeSchema } from "./vm.ts";

export const acceleratorSchema = z.enum(["kvm", "tcg"]);
export type Accelerator = z.infer<typeof acceleratorSchema>;

export const datastoreFactsSchema = z.object({
  name: nameSchema,
  /** Written once into the datastore itself: two hosts see the same storage exactly if they see the same id. */
  id: datastoreIdSchema,
  path: z.string(),
  shared: z.boolean(),
  totalBytes: z.number().int(),
  freeBytes: z.number().int(),
  /** Of this host's leases on shared storage, without which it runs no VM from there; null for host-local storage. */
  leases: z
    .object({
      state: z.enum(["joining", "joined", "unavailable"]),
      /** Why they are not available. */
      reason: z.string().nullable(),
      /** Whether a watchdog resets this host when it can neither renew its lease nor end its VMs. */
      watchdog: z.boolean(),
    })
    .nullable()
    .default(null),
});
export type DatastoreFacts = z.infer<typeof datastoreFactsSchema>;

export const portGroupFactsSchema = z.object({
  name: nameSchema,
  bridge: z.string(),
  /** The interface that leads outside; null for an internal switch. */
  uplink: z.string().nullable(),
  uplinkUp: z.boolean(),
  mtu: z.number().int(),
});
export type PortGroupFacts = z.infer<typeof portGroupFactsSchema>;

export const linkFactsSchema = z.object({
  name: z.string(),
  up: z.boolean(),
  addresses: z.array(z.string()),
  /** The slower of the interface's own speed and a shaper on it; null where neither is known. */
  bitsPerSecond: z.number().nullable(),
  mtu: z.number().int(),
});
export type LinkFacts = z.infer<typeof linkFactsSchema>;

export const qemuFactsSchema = z.object({
  binary: z.string(),
  /** Like `7.2.22`. */
  version: z.string(),
  accelerator: acceleratorSchema,
  /** Why the accelerator was chosen, in words: the result of the functional probe. */
  acceleratorReason: z.string(),
  machines: z.array(z.string()),
  cpuModels: z.array(z.object({ name: z.string(), unavailableFeatures: z.array(z.string()) })),
  /** CPU property names that this QEMU can switch on under its accelerator (those of its model `max`), sorted. */
  availableFeatures: z.array(z.string()),
});
export type QemuFacts = z.infer<typeof qemuFactsSchema>;

export const hostFactsSchema = z.object({
  name: nameSchema,
  agentVersion: z.string(),
  reportedAt: z.iso.datetime(),
  cpu: z.object({
    vendor: z.string(),
    model: z.string(),
    logicalCpus: z.number().int(),
    /** What the identification utility says of it; null where nothing could be read. */
    report: cpuReportSchema.nullable().default(null),
    /** Whether the host only passes for this CPU, in a lab. */
    simulated: z.boolean().default(false),
  }),
  memory: z.object({ totalBytes: z.number().int(), availableBytes: z.number().int() }),
  qemu: qemuFactsSchema,
  migration: z.object({ address: z.string(), link: linkFactsSchema }).nullable(),
  links: z.array(linkFactsSchema),
  portGroups: z.array(portGroupFactsSchema),
  datastores: z.array(datastoreFactsSchema),
  vms: z.array(vmRuntimeSchema),
});
export type HostFacts = z.infer<typeof hostFactsSchema>;

/**
 * `off`: it takes VMs. `entering`: it takes none any more and still has some. `on`: it takes none and has none
 * but stopped ones that cannot have their home elsewhere.
 */
export const maintenanceSchema = z.enum(["off", "entering", "on"]);
export type Maintenance = z.infer<typeof maintenanceSchema>;

export const hostViewSchema = z.object({
  name: nameSchema,
  agentUrl: z.url(),
  state: z.enum(["connected", "unreachable"]),
  maintenance: maintenanceSchema,
  joinedAt: z.iso.datetime(),
  /** When it last answered; its facts are as of then. */
  seenAt: z.iso.datetime().nullable(),
  unreachableReason: z.string().nullable(),
  pool: nameSchema.nullable(),
  /** What an operator should know: findings that hold now. */
  alarms: z.array(findingSchema),
  facts: hostFactsSchema.nullable(),
});
export type HostView = z.infer<typeof hostViewSchema>;
