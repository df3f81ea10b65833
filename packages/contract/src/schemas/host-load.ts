/**
 * What a host does now: what is used and free, which links carry, which VMs have a process. It changes all the time,
 * so no event tells of it; that a VM changed its state or a lease was lost has an event of its own.
 * What could not be read is null, never zero and never an older figure; `failures` says why.
 */
import { z } from "zod";
import { amountSchema, countSchema, mostOfHost, readFailureSchema } from "./host-facts.ts";
import { hostHealthSchema } from "./host-health.ts";
import { leaseStateSchema } from "./lease.ts";
import { hugepageLoadSchema } from "./guest-memory.ts";
import { nameSchema } from "./names.ts";
import { mostUnlearnedMacs, unlearnedMacSchema } from "./unlearned-mac.ts";
import { vmUsageSchema } from "./vm-usage.ts";
import { vmRuntimeSchema } from "./vm-view.ts";

/** Percent of the last 60 s in which a task waited for it (the kernel's PSI, `some avg60`); null: this kernel does not tell. */
const pressureSchema = amountSchema.nullable();

export const memoryLoadSchema = z.object({
  /** What can be used without swapping: `MemAvailable`. */
  availableBytes: countSchema,
  pressurePercent: pressureSchema,
  /** Of each size that the host has. Absent: an agent that does not tell. */
  hugepages: z.array(hugepageLoadSchema).max(2).optional(),
});
export type MemoryLoad = z.infer<typeof memoryLoadSchema>;

export const cpuLoadSchema = z.object({
  /** How many of the logical CPUs were busy on average since the figure before, like 2.5; null: not measured yet. */
  usedCpus: amountSchema.nullable(),
  /** Of those: how many a hypervisor under this host gave to others (steal). Absent: an agent that does not tell. */
  stolenCpus: amountSchema.nullable().optional(),
  /** Runnable and waiting tasks on average over 1, 5 and 15 minutes. */
  loadAverage: z.tuple([amountSchema, amountSchema, amountSchema]),
  pressurePercent: pressureSchema,
});
export type CpuLoad = z.infer<typeof cpuLoadSchema>;

/**
 * Whether a link leads out of its host. `off`: it is switched off. `none`: it has no carrier, or, of a bridge, no port
 * but VMs' taps has one. `noPort`: it is a bridge that has no other port.
 */
const carrierSchema = z.enum(["up", "off", "none", "noPort"]);
export type Carrier = z.infer<typeof carrierSchema>;

/** Cards that are one link. */
export const bondLoadSchema = z.object({
  /** The driver's name of it, like `active-backup` and `802.3ad`. */
  mode: z.string().max(32),
  ports: z.array(z.object({ name: z.string().max(16), up: z.boolean() })).max(64),
  /** In modes of which one port carries: that one; null: none, or another mode. */
  active: z.string().max(16).nullable(),
});
export type BondLoad = z.infer<typeof bondLoadSchema>;

export const linkLoadSchema = z.object({
  name: z.string(),
  /** Switched on, and with a carrier. */
  up: z.boolean(),
  /** Absent: an earlier version's agent. */
  carrier: carrierSchema.optional(),
  /** On average since the figure before; null: not measured yet. */
  receivedBytesPerSecond: amountSchema.nullable(),
  sentBytesPerSecond: amountSchema.nullable(),
  /** Absent: it is no bond, or an agent that does not tell. */
  bond: bondLoadSchema.optional(),
});
export type LinkLoad = z.infer<typeof linkLoadSchema>;

const portGroupStateSchema = z.enum([
  "up",
  /** It has no uplink, as it was configured. */
  "internal",
  "bridgeMissing",
  /** The bridge is switched off. */
  "bridgeOff",
  "uplinkMissing",
  /** The uplink is no port of the bridge. */
  "uplinkNotInBridge",
  "uplinkOff",
  "uplinkWithoutCarrier",
]);
export type PortGroupState = z.infer<typeof portGroupStateSchema>;

/** Also of one that the host's facts do not list, since its bridge does not exist. */
export const portGroupLoadSchema = z.object({
  name: nameSchema,
  /** Both absent: an earlier version's agent. */
  bridge: z.string().optional(),
  state: portGroupStateSchema.optional(),
  /** Whether its uplink is a port of its bridge and has a carrier. */
  uplinkUp: z.boolean(),
});
export type PortGroupLoad = z.infer<typeof portGroupLoadSchema>;

/** Of this host's leases on shared storage, without which it runs no VM from there. */
export const datastoreLeasesSchema = z.object({
  state: leaseStateSchema,
  /** Why they are not available. */
  reason: z.string().nullable(),
  /** Whether a watchdog resets this host when it can neither renew its lease nor end its VMs. */
  watchdog: z.boolean(),
});
export type DatastoreLeases = z.infer<typeof datastoreLeasesSchema>;

/** Of this host's registration with a LUN for SCSI-3 persistent reservations, as it was seen last. */
export const datastoreReservationsSchema = z.object({
  /** Before the LUN is reserved: whether all paths of this host are registered; afterwards: whether one is. */
  registered: z.boolean(),
  /** Whether only hosts that are registered can write. */
  reserved: z.boolean(),
  /** Why it is not as it should be, or why it cannot be known, the end of a sentence; null: it is. */
  reason: z.string().max(2000).nullable(),
});
export type DatastoreReservations = z.infer<typeof datastoreReservationsSchema>;

export const datastoreLoadSchema = z.object({
  name: nameSchema,
  /** Null while the host cannot use it, and of one without files. */
  space: z.object({ totalBytes: countSchema, freeBytes: countSchema }).nullable(),
  /** Why it cannot be used; null while it can. */
  reason: z.string().nullable(),
  /** Whether it is mounted read-only. Absent: not known, or an agent that does not tell. */
  readOnly: z.boolean().optional(),
  /** How long the look at it took. Absent: it did not answer, or an agent that does not tell. */
  latencyMs: amountSchema.optional(),
  /** Null for host-local storage. */
  leases: datastoreLeasesSchema.nullable(),
  /** Of a LUN. Absent: it is none, nobody has looked yet, or an agent that does not tell. */
  reservations: datastoreReservationsSchema.optional(),
});
export type DatastoreLoad = z.infer<typeof datastoreLoadSchema>;

export const vmLoadSchema = vmRuntimeSchema.extend({
  ...vmUsageSchema.shape,
  /**
   * Whether the program of its QEMU was replaced on the host since it started, as by an upgrade; null: it has no process, or
   * that could not be read. Absent: an agent that does not tell.
   */
  qemuReplaced: z.boolean().nullable().optional(),
  /**
   * Since when its guest agent, which had answered before, has not, and the guest has neither used a disk nor sent a packet; by the
   * host's clock. Null: it answers. Absent: it is not watched, or has not answered yet.
   */
  guestSilentSince: z.iso.datetime().nullable().optional(),
});
export type VmLoad = z.infer<typeof vmLoadSchema>;

export const hostLoadSchema = z.object({
  name: nameSchema,
  /** By the host's clock. */
  reportedAt: z.iso.datetime(),
  memory: memoryLoadSchema.nullable(),
  cpu: cpuLoadSchema.nullable(),
  links: z.array(linkLoadSchema).max(mostOfHost.links).nullable(),
  portGroups: z.array(portGroupLoadSchema).max(mostOfHost.portGroups).nullable(),
  datastores: z.array(datastoreLoadSchema).max(mostOfHost.datastores),
  vms: z.array(vmLoadSchema).max(mostOfHost.vms),
  /** Absent: nobody has looked yet, or an agent that does not. */
  health: hostHealthSchema.optional(),
  /** Of VMs that have moved away. Absent: none, or an agent that does not look. */
  unlearnedMacs: z.array(unlearnedMacSchema).max(mostUnlearnedMacs).optional(),
  failures: z.array(readFailureSchema).max(mostOfHost.failures),
});
export type HostLoad = z.infer<typeof hostLoadSchema>;
