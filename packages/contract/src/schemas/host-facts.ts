/**
 * What a host is: hardware, QEMU, storage and networks that it has. It changes seldom; each change is the event
 * `host.factsChanged`. What could not be read this time is reported as it was read last, with the reason in `failures`.
 */
import { z } from "zod";
import { portRangeSchema } from "./addresses.ts";
import { cpuReportSchema } from "./cpu.ts";
import { datastoreSourceSchema } from "./datastore-source.ts";
import { uefiFactsSchema } from "./firmware.ts";
import { hostDeviceFactsSchema } from "./host-device.ts";
import { hugepageFactsSchema } from "./guest-memory.ts";
import { datastoreIdSchema, nameSchema, vmIdSchema } from "./names.ts";
import { networkDefinitionSchema, networkRefusalsSchema, switchesFactsSchema } from "./network.ts";
import { tunnelFactsSchema } from "./vxlan.ts";

export const acceleratorSchema = z.enum(["kvm", "tcg"]);
export type Accelerator = z.infer<typeof acceleratorSchema>;

/** Of things, bytes and rates that a host reports: whatever it says of itself, sums and differences of it stay numbers. */
export const amountSchema = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
export const countSchema = z.int().min(0);
/** Lists of a report are bounded by what a host could have. */
export const mostOfHost = {
  datastores: 1024,
  links: 4096,
  portGroups: 4096,
  vms: 10_000,
  failures: 1024,
} as const;

/** A part of a report that could not be read, and why. */
export const readFailureSchema = z.object({
  /** The name of the part: `memory`, `links`, … */
  part: z.string(),
  reason: z.string(),
});
export type ReadFailure = z.infer<typeof readFailureSchema>;

export const datastoreFactsSchema = z.object({
  name: nameSchema,
  /**
   * Written once into the datastore itself: two hosts see the same storage exactly if they read the same id. Null
   * where it was never read: the host's load says why.
   */
  id: datastoreIdSchema.nullable(),
  path: z.string(),
  shared: z.boolean(),
  /** Absent: an agent that knows folders only. */
  source: datastoreSourceSchema.optional(),
  /** Who defines it: the inventory, or the agent's own configuration. Absent: an agent that takes no definitions. */
  origin: z.enum(["inventory", "configuration"]).optional(),
  /** Whether hosts register with the LUN for persistent reservations. Absent: they do not. */
  reservations: z.boolean().optional(),
});
export type DatastoreFacts = z.infer<typeof datastoreFactsSchema>;

export const portGroupFactsSchema = z.object({
  name: nameSchema,
  bridge: z.string(),
  /** The interface that leads outside; null for an internal switch. */
  uplink: z.string().nullable(),
  mtu: countSchema,
  /** As the inventory defines it. Absent: the agent has it by its own configuration. */
  definition: networkDefinitionSchema.optional(),
  /** Of a switch with VXLAN. */
  tunnel: tunnelFactsSchema.optional(),
});
export type PortGroupFacts = z.infer<typeof portGroupFactsSchema>;

export const linkFactsSchema = z.object({
  name: z.string(),
  addresses: z.array(z.string()),
  /** The slower of the interface's own speed and a shaper on it; null where neither is known. */
  bitsPerSecond: amountSchema.nullable(),
  mtu: countSchema,
});
export type LinkFacts = z.infer<typeof linkFactsSchema>;

export const qemuFactsSchema = z.object({
  binary: z.string(),
  /** Like `7.2.22`. */
  version: z.string(),
  accelerator: acceleratorSchema,
  /** Why the accelerator was chosen: the result of the functional probe, a sentence. */
  acceleratorReason: z.string(),
  machines: z.array(z.string()),
  cpuModels: z.array(z.object({ name: z.string(), unavailableFeatures: z.array(z.string()) })),
  /** CPU property names that this QEMU can switch on under its accelerator (those of its model `max`), sorted. */
  availableFeatures: z.array(z.string()),
  /** Why this QEMU cannot receive a post-copy on this host, a sentence; absent: it can, or nothing is known against it. */
  postcopyUnavailable: z.string().optional(),
  /**
   * Whether this QEMU can make a post-copy's stream again as often as it takes; only then is post-copy used without having
   * been asked for by its name. Absent: an agent that does not tell, which knows no objective of a move either.
   */
  postcopyRecovers: z.boolean().optional(),
  /** Whether it makes connections over several links at once (Multipath TCP). Absent: not known. */
  multipath: z.boolean().optional(),
});
export type QemuFacts = z.infer<typeof qemuFactsSchema>;

export const cpuFactsSchema = z.object({
  vendor: z.string(),
  model: z.string(),
  logicalCpus: countSchema,
  /** What the identification utility reads of it; null where nothing could be read. */
  report: cpuReportSchema.nullable().default(null),
  /** Whether the host only passes for this CPU, in a lab. */
  simulated: z.boolean().default(false),
});
export type CpuFacts = z.infer<typeof cpuFactsSchema>;

/** How a host keeps its VMs' QEMU processes apart. */
export const containmentFactsSchema = z.object({
  /** The uids of VMs: `count` of them from `first`. A VM's follows from its id, so this is the same on every host. */
  vmUids: z.object({ first: z.int(), count: z.int() }),
  /** Why VMs that are started there share one user all the same, the end of a sentence; null: they do not. */
  vmUidsProblem: z.string().nullable(),
  /** Why what a VM's processes use has no limits there, the end of a sentence; null: memory and tasks have. */
  limitsProblem: z.string().nullable(),
  /** Why its VMs' CPUs cannot be weighted there, the end of a sentence; null: they can. Absent: an agent that does not. */
  cpuWeightsProblem: z.string().nullable().optional(),
  /** Why its VMs' CPUs have no limits there, the end of a sentence; null: they can have. Absent: an agent that sets none. */
  cpuLimitsProblem: z.string().nullable().optional(),
  /** Why QEMU is not confined by AppArmor there, the end of a sentence; null: it is. */
  appArmorProblem: z.string().nullable(),
});
export type ContainmentFacts = z.infer<typeof containmentFactsSchema>;

export const hostFactsSchema = z.object({
  name: nameSchema,
  agentVersion: z.string(),
  /** By the host's clock. */
  reportedAt: z.iso.datetime(),
  cpu: cpuFactsSchema,
  memory: z.object({
    totalBytes: countSchema,
    /** Set aside, of each size that its CPUs have; a part of the total. Absent: an agent that does not tell. */
    hugepages: z.array(hugepageFactsSchema).max(2).optional(),
    /** The NUMA nodes, by the kernel's numbers. Absent: the same. */
    numaNodes: z.array(z.int().min(0)).max(1024).optional(),
  }),
  qemu: qemuFactsSchema,
  /** Null where no address is configured, or no link has it. */
  migration: z.object({ address: z.string(), link: linkFactsSchema }).nullable(),
  /** As it is configured, whether a link has the address or not; null: not at all. Absent: an earlier version's agent. */
  migrationSettings: z
    .object({
      address: z.string(),
      /** Addresses of further links that streams go over too. Absent: there are none. */
      also: z.array(z.string()).max(8).optional(),
      /** Why streams go over one link only; null: over all. Absent: there is but one. */
      alsoProblem: z.string().nullable().optional(),
      ports: portRangeSchema,
    })
    .nullable()
    .optional(),
  links: z.array(linkFactsSchema).max(mostOfHost.links),
  portGroups: z.array(portGroupFactsSchema).max(mostOfHost.portGroups),
  /** Those that the inventory defines. Absent: an agent that takes no definitions. */
  switches: switchesFactsSchema.optional(),
  /** What the inventory defines of networks and this host did not apply. Absent: an agent that takes no definitions. */
  networksRefused: networkRefusalsSchema.optional(),
  datastores: z.array(datastoreFactsSchema).max(mostOfHost.datastores),
  /** The kinds of datastores that its agent knows. Absent: folders only. */
  datastoreKinds: z.array(z.string().max(40)).max(40).optional(),
  /** Changes with each boot. Absent: an agent that does not tell. */
  bootId: z.string().max(64).optional(),
  /** Whether it runs commands of operators, and is booted again for them. Absent: an agent that cannot. */
  updates: z.object({ commands: z.boolean() }).optional(),
  /** What its agent can do that earlier ones could not: `relocateDisks`, `cloneVm`, `cloneVolumes` (also from and to LUN datastores; copies are cancelled), `importVm` (also: images of other formats), `exportVm`, `snapshots`, `carryDisks`, `deviceModels`, `images`, `vxlan`, `iscsiChap`, `devices` (disks and NICs change, also while a VM runs; memory and vCPUs), `annotations` (tags and notes), `editVm` (several changes of a VM that nobody else has changed meanwhile), `cancelSuspension` (of one task), `guestMemory` (huge pages and NUMA nodes), `cpuTopology` (sockets, cores and threads of VMs), `bootOrder` (what VMs boot from), `balloon` (memory that guests give back), `hostDevices` (PCI and USB devices of its own for VMs), `announce` (where a VM is), `memoryHotPlug` (memory that grows while a VM runs), `lunReservations` (SCSI-3 persistent reservations), `fencePrograms` (hosts that the server fences by programs), `moveVolumes` (disks move from and to LUN datastores, also into another format; VMs with volumes are exported). Absent: nothing. */
  abilities: z.array(z.string().max(40)).max(100).optional(),
  /** PCI and USB devices that a VM could have for itself. Absent: an agent that does not tell. */
  hostDevices: hostDeviceFactsSchema.optional(),
  /** Of UEFI: the builds that it has. Absent: an agent that knows none. */
  uefi: z.array(uefiFactsSchema).max(10).optional(),
  /** Whether it can emulate a TPM. Absent: an agent that cannot. */
  tpmEmulator: z.boolean().optional(),
  /** What the inventory defines and this host did not apply. Absent: an agent that takes no definitions. */
  datastoresRefused: z
    .array(z.object({ name: nameSchema, reason: z.string().max(1000) }))
    .max(2 * mostOfHost.datastores)
    .optional(),
  /** VMs whose QEMU process may run and cannot be relied on, each with what is wrong. Absent: an agent that tells a failure. */
  vmsSetAside: z
    .array(z.object({ id: vmIdSchema, name: z.string().max(63), reason: z.string().max(4096) }))
    .max(mostOfHost.vms)
    .optional(),
  /** Why VMs there can send with MAC addresses that are not theirs; null: they cannot. Absent: an agent that limits nothing. */
  portSecurityProblem: z.string().nullable().optional(),
  /** Absent: an agent of a version that has one user for all VMs. */
  containment: containmentFactsSchema.optional(),
  failures: z.array(readFailureSchema).max(mostOfHost.failures),
});
export type HostFacts = z.infer<typeof hostFactsSchema>;
