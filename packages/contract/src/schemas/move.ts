/** One live migration of one VM: what is asked, how it goes, how it ended. */
import { z } from "zod";
import { problemSchema } from "../errors/schemas.ts";
import { acceleratorSchema } from "./host-facts.ts";
import { memoryWaitSchema } from "./memory-wait.ts";
import { moveCpuSchema } from "./move-cpu.ts";
import { moveDecisionSchema } from "./move-decision.ts";
import { movePauseSchema } from "./move-pause.ts";
import { agentUrlSchema } from "./addresses.ts";
import { moveIdSchema, nameSchema } from "./names.ts";
import { objectiveSchema } from "./objective.ts";
import { versioned, vmSchema, type Vm } from "./vm.ts";
import { pauseReasonSchema } from "./vm-view.ts";

/** The phases that users see. `packages/migration` derives them from the phases of the source's half of the move. */
export const movePhaseSchema = z.enum([
  "planned",
  "preparing",
  "copying",
  "switching",
  "committed",
  /** The VM runs at the destination, and what is left of its memory still arrives there. */
  "postcopy",
  "cancelling",
  "failing",
  "succeeded",
  "cancelled",
  "failed",
]);
export type MovePhase = z.infer<typeof movePhaseSchema>;

export const maxOutageSchema = z.int().min(1).max(60_000);
/**
 * `auto` chooses while the copy runs, by the objective. `precopy` sends changed memory again and again while the guest
 * runs. `postcopy` sends the whole memory once, and what changed since after the guest runs at the destination: it always
 * converges, but until everything is there the VM is lost with either of the hosts.
 */
export const strategySchema = z.enum(["auto", "precopy", "postcopy"]);
export type Strategy = z.infer<typeof strategySchema>;

const largestDiskBytes = 2 ** 50;

/** Where a VM's disks go that move together with it, to a host that does not see the storage of the source. */
export const movedStorageSchema = z.object({
  /** Of the destination: files, and of that host alone. */
  datastore: nameSchema,
  /** What the source says of each disk; absent in what the server asks. */
  disks: z
    .array(
      z.object({
        name: nameSchema,
        /** As the guest sees it, bytes. */
        sizeBytes: z.int().min(1).max(largestDiskBytes),
        /** What its image takes on the source's storage, bytes. */
        usedBytes: z.int().min(0).max(largestDiskBytes),
      }),
    )
    .max(64)
    .optional(),
});
export type MovedStorage = z.infer<typeof movedStorageSchema>;

/** What the server asks of the source agent. */
export const moveOrderSchema = z.object({
  id: moveIdSchema,
  vm: vmSchema,
  from: nameSchema,
  to: z.object({ host: nameSchema, agentUrl: agentUrlSchema }),
  maxOutageMs: maxOutageSchema,
  /** What the VM runs under; its copy does too. */
  accelerator: acceleratorSchema,
  /** Where there is an objective: what a host of a version that knows none does. */
  strategy: z.enum(["precopy", "postcopy"]),
  /** The course is chosen while the copy runs; absent: it is that of `strategy`. */
  objective: objectiveSchema.optional(),
  /**
   * The source goes on without post-copy where the destination answers that its QEMU cannot receive one; it says so itself.
   * Absent: it needs post-copy, does not use it, or is of a version that cannot read that answer.
   */
  postcopyMayBeLeftOut: z.boolean().optional(),
  /** A ceiling for the copy; null: what the link gives. */
  bandwidthBytesPerSecond: z.number().positive().nullable(),
  /**
   * What the VM's QEMU runs as at the source, which says so itself; absent: the source is of a version that has one
   * user for all VMs.
   */
  qemuUid: z.int().min(1).optional(),
  /** The disks move with the VM; absent: both hosts see them. */
  storage: movedStorageSchema.optional(),
});
export type MoveOrder = z.infer<typeof moveOrderSchema>;

/** The VM as the destination has it: where its disks move with it, all lie in its folder there. */
export function arrivingVm({ vm, storage }: Pick<MoveOrder, "vm" | "storage">): Vm {
  if (storage === undefined) return vm;
  const disks = vm.disks.map(({ name, format }) => ({
    ...{ name, path: `${vm.name}/${name}.${format}`, format, taken: false },
  }));
  return versioned({ ...vm, datastore: storage.datastore, disks });
}

/** Limits of a move that can be changed while it goes on; those that are absent stay. */
export const moveLimitsSchema = z.strictObject({
  /** Null: what the link gives. */
  bandwidthBytesPerSecond: z.number().min(1).nullable().optional(),
  maxOutageMs: maxOutageSchema.optional(),
});
export type MoveLimits = z.infer<typeof moveLimitsSchema>;

export const moveProgressSchema = z.object({
  totalBytes: z.number(),
  transferredBytes: z.number(),
  remainingBytes: z.number(),
  bytesPerSecond: z.number(),
  dirtyBytesPerSecond: z.number(),
  rounds: z.number().int(),
  /** Expected time until the VM runs at its destination; null while unknown or not converging. */
  etaMs: z.number().nullable(),
  /** The pause that a switch right now would cost; null while unknown. */
  expectedOutageMs: z.number().nullable(),
});
export type MoveProgress = z.infer<typeof moveProgressSchema>;

/** The disks of a VM that move with it, all together. */
export const movedDisksSchema = z.object({
  /** Where the image is that the VM is started from: it is the source's until that has removed its own. */
  at: z.enum(["source", "destination"]),
  totalBytes: z.number(),
  copiedBytes: z.number(),
  bytesPerSecond: z.number(),
  /** Until all of it is copied; null while that is not known. */
  etaMs: z.number().nullable(),
});
export type MovedDisks = z.infer<typeof movedDisksSchema>;

export const moveRecordSchema = z.object({
  id: moveIdSchema,
  vm: z.object({ id: z.string(), name: nameSchema }),
  from: nameSchema,
  to: nameSchema,
  strategy: strategySchema,
  phase: movePhaseSchema,
  maxOutageMs: z.number(),
  /** When each phase began, in order; a phase may come twice (a backed-out switch returns to copying). */
  phases: z.array(z.object({ phase: movePhaseSchema, at: z.iso.datetime() })),
  progress: moveProgressSchema.nullable(),
  /** What was decided, when and why. */
  decisions: z.array(moveDecisionSchema),
  /** Switches that were started and undone because they would have taken longer than allowed. */
  backOuts: z.number().int(),
  /** From the source's vCPUs stopping to the destination's running; null until it ran there. */
  stopToContMs: z.number().nullable(),
  /** Why `stopToContMs` is null although it ran there, the end of a sentence. Absent: a record of an earlier version. */
  stopToContUnknown: z.string().nullable().default(null),
  /** The parts of that; null until it ran there, and of moves of earlier versions. */
  pause: movePauseSchema.nullable().default(null),
  /** After a post-copy. Absent: there was none, or nobody counted. */
  waitedForMemory: memoryWaitSchema.optional(),
  /** Absent: not measured. */
  cpu: moveCpuSchema.optional(),
  /** QEMU's own figure for the same; it under-reports. */
  qemuDowntimeMs: z.number().nullable(),
  bytes: z.number(),
  rounds: z.number().int(),
  encrypted: z.boolean(),
  /** Whole move on the hosts, from order to clean-up; null while it goes on. */
  totalMs: z.number().nullable(),
  error: problemSchema.nullable(),
  /** Why the guest stands still on its own account, wherever it is; null: it runs, or is to. */
  pauseReason: pauseReasonSchema.nullable().default(null),
  /** Absent: both hosts see the VM's disks. */
  disks: movedDisksSchema.optional(),
});
export type MoveRecord = z.infer<typeof moveRecordSchema>;
