/** Where a VM is and what it does: as its host sees it, and as the server knows it. */
import { z } from "zod";
import { pauseReasons } from "../errors/pause.ts";
import { nameSchema, vmIdSchema } from "./names.ts";
import { vmSchema } from "./vm.ts";
import { vmUsageOverSchema, vmUsageSchema } from "./vm-usage.ts";

/** `incoming`: a move's destination, not running. `paused`: its vCPUs stand still. `lost`: was running, its process is gone. */
export const vmStateSchema = z.enum([
  "stopped",
  "starting",
  "running",
  "paused",
  "incoming",
  "stopping",
  "lost",
]);
export type VmState = z.infer<typeof vmStateSchema>;

/** Who a VM's QEMU runs as. */
export const vmUserSchema = z.object({
  uid: z.int(),
  /** Why it is the user that VMs share, the end of a sentence; null: it is the VM's own. */
  sharedBecause: z.string().nullable(),
});
export type VmUser = z.infer<typeof vmUserSchema>;

/** Why the vCPUs of a VM that has a process stand still. */
export const pauseReasonSchema = z.enum(pauseReasons);

/** A VM's process on a host, as the agent there sees it. */
export const vmRuntimeSchema = z.object({
  id: vmIdSchema,
  name: nameSchema,
  state: vmStateSchema,
  pid: z.int().nullable(),
  accelerator: z.enum(["kvm", "tcg"]).nullable(),
  startedAt: z.iso.datetime().nullable(),
  memoryMib: z.int().min(0),
  /** Null: it has no process. Absent: an agent of a version that has one user for all VMs. */
  user: vmUserSchema.nullable().optional(),
  /** Why it stands still; null: it does not, or a move has stopped it for its switch. Absent: an agent that does not tell. */
  pauseReason: pauseReasonSchema.nullable().default(null),
  /** Its TPM's process has ended, and the VM's has not. Absent: it has not, or there is none. */
  tpmEnded: z.literal(true).optional(),
  /** Its QEMU could end itself while it sends the VM's memory. Absent: it could not, it is not known yet, or an agent that does not tell. */
  memoryOutOfOrder: z.literal(true).optional(),
});
export type VmRuntime = z.infer<typeof vmRuntimeSchema>;

/** A VM as the server knows it: where it is, and what it is. */
export const vmViewSchema = z.object({
  id: vmIdSchema,
  name: nameSchema,
  state: vmStateSchema,
  /** Why it stands still; null: it does not. */
  pauseReason: pauseReasonSchema.nullable().default(null),
  /** The host that runs it, or ran it last. */
  host: nameSchema,
  /** When its host last answered; `state` is as of then. */
  seenAt: z.iso.datetime(),
  /** Whether its host answers now. Absent: a server that does not tell. */
  hostState: z.enum(["connected", "unreachable"]).optional(),
  config: vmSchema,
});
export type VmView = z.infer<typeof vmViewSchema>;

/** What a list shows of a VM. */
export const vmSummarySchema = vmViewSchema
  .omit({ config: true })
  .extend(vmSchema.pick({ memoryMib: true, vcpus: true, datastore: true, tags: true }).shape)
  .extend({
    /** It is suspended to disk. Absent: it is not. */
    suspendedAt: z.iso.datetime().optional(),
  });
export type VmSummary = z.infer<typeof vmSummarySchema>;

/** All that is told of one VM. */
export const vmDetailsSchema = vmViewSchema.extend({
  /** As its host last reported; null: it has no process, or that is not known. */
  user: vmUserSchema.nullable().optional(),
  /** The same of what it uses. */
  usage: vmUsageSchema.nullable().optional(),
  /** CPUs that it gets at most, by the rules of its pool; null: no limit. Absent: a server that does not tell. */
  cpuLimit: z
    .object({
      cpus: z.number(),
      /** Why its host does not enforce it, the end of a sentence; null: it does while the VM runs. */
      problem: z.string().nullable(),
    })
    .nullable()
    .optional(),
  /** On this host within the last hour; null: nothing is kept of it. */
  lastHour: vmUsageOverSchema.nullable().optional(),
});
export type VmDetails = z.infer<typeof vmDetailsSchema>;

/** What came of bringing all VMs that hosts have into the inventory. */
export const vmAdoptionSchema = z.object({
  registered: z.array(z.object({ name: nameSchema, host: nameSchema })),
  /** Left out; `datastore` is empty for a process that no folder is known of. */
  left: z.array(z.object({ name: z.string(), datastore: z.string(), host: nameSchema, reason: z.string() })),
  /** Hosts that could not be asked. */
  absent: z.array(nameSchema),
});
export type VmAdoption = z.infer<typeof vmAdoptionSchema>;
