/** What can be changed of a VM's description; what is absent stays as it is. */
import { z } from "zod";
import { notesSchema, tagChangesSchema } from "./annotations.ts";
import { balloonSchema, type Balloon } from "./balloon.ts";
import { bootOrderSchema } from "./boot-order.ts";
import { cdromMediumSchema, mostCdroms } from "./cdrom.ts";
import { cpuAffinitySchema } from "./cpu-affinity.ts";
import { cpuTopologySchema } from "./cpu-topology.ts";
import { hugepageSizeSchema, numaSchema, type MemoryLayout } from "./guest-memory.ts";
import { hostDeviceDescriptionsSchema } from "./host-device.ts";
import { nameSchema } from "./names.ts";
import { cpuRequestSchema, memoryMibSchema, vcpusSchema } from "./vm.ts";

/** `medium` absent: the one that the drive has noted. */
export const cdromChangeSchema = z.strictObject({
  name: nameSchema,
  medium: cdromMediumSchema.optional(),
  connected: z.boolean(),
});
export type CdromChange = z.infer<typeof cdromChangeSchema>;

export const vmChangesSchema = z.strictObject({
  /** Null: nothing is asked of its CPU. It holds from the next power-on. */
  cpuWish: cpuRequestSchema.nullable().optional(),
  /** Null: any CPU of its host. */
  cpuAffinity: cpuAffinitySchema.nullable().optional(),
  cdrom: cdromChangeSchema.optional(),
  /** Several of them. */
  cdroms: z.array(cdromChangeSchema).max(mostCdroms).optional(),
  /** At rest only. Without its TPM a VM keeps the TPM's state, and has it again with it. */
  tpm: z.boolean().optional(),
  /** At rest, and up to its maximum while it runs. */
  memoryMib: memoryMibSchema.optional(),
  /** At rest only. Null: its memory does not grow while it runs. */
  maxMemoryMib: memoryMibSchema.nullable().optional(),
  /** At rest only. */
  vcpus: vcpusSchema.optional(),
  /** At rest only. Null: ordinary pages. */
  hugepages: hugepageSizeSchema.nullable().optional(),
  /** At rest only. Null: its guest sees none. */
  numa: numaSchema.nullable().optional(),
  /** At rest only. Null: as a VM has it that says nothing of it. */
  topology: cpuTopologySchema.nullable().optional(),
  /** At rest only. Null: its first disk, and then its CD-ROM drives. */
  bootOrder: bootOrderSchema.nullable().optional(),
  /** Its target changes at rest and while it runs; the balloon itself comes and goes at rest only. Null: none. */
  balloon: balloonSchema.nullable().optional(),
  /** All of them. At rest only; but USB devices go while it runs, too. */
  hostDevices: hostDeviceDescriptionsSchema.optional(),
  tags: tagChangesSchema.optional(),
  /** Null: none. */
  notes: notesSchema.nullable().optional(),
});
export type VmChanges = z.infer<typeof vmChangesSchema>;

/** Whether its memory or its vCPUs change. */
export const changesMemory = ({ memoryMib, ...changes }: VmChanges): boolean =>
  memoryMib !== undefined || changesLayout(changes);

/** Whether what of them changes at rest only does. A TPM, too, changes at rest only: that is compared with what it has. */
export const changesLayout = ({ maxMemoryMib, vcpus, hugepages, numa, topology }: VmChanges): boolean =>
  [maxMemoryMib, vcpus, hugepages, numa, topology].some((value) => value !== undefined);

/** With these changes made. */
export const memoryLayoutOf = (
  vm: MemoryLayout,
  { memoryMib = vm.memoryMib, vcpus = vm.vcpus, hugepages, numa, topology }: VmChanges,
): MemoryLayout => ({
  ...{ memoryMib, vcpus },
  hugepages: hugepages === undefined ? vm.hugepages : (hugepages ?? undefined),
  numa: numa === undefined ? vm.numa : (numa ?? undefined),
  topology: topology === undefined ? vm.topology : (topology ?? undefined),
});

/** With these changes made. */
export const balloonOf = (
  vm: { balloon?: Balloon | undefined },
  { balloon }: VmChanges,
): Balloon | undefined => (balloon === undefined ? vm.balloon : (balloon ?? undefined));

/** With these changes made. */
export const maxMemoryOf = (
  vm: { maxMemoryMib?: number | undefined },
  { maxMemoryMib }: VmChanges,
): number | undefined => (maxMemoryMib === undefined ? vm.maxMemoryMib : (maxMemoryMib ?? undefined));

/** Whether what must fit the maximum changes, or it itself does. */
export const changesMaximum = ({
  memoryMib,
  maxMemoryMib,
  hugepages,
  numa,
  hostDevices,
}: VmChanges): boolean =>
  [memoryMib, maxMemoryMib, hugepages, numa, hostDevices].some((change) => change !== undefined);

/** Whether what must fit the balloon changes, or it itself does. */
export const changesBalloon = ({ balloon, memoryMib, hugepages, hostDevices }: VmChanges): boolean =>
  [balloon, memoryMib, hugepages, hostDevices].some((change) => change !== undefined);

/** All changes of CD-ROM drives. */
export const drivesOf = ({ cdrom, cdroms = [] }: VmChanges): CdromChange[] => [
  ...(cdrom === undefined ? [] : [cdrom]),
  ...cdroms,
];

/** An answer to what forbids a move. */
export const moveFixSchema = z.strictObject({
  /** What is done, an imperative sentence. */
  sentence: z.string(),
  changes: vmChangesSchema,
});
export type MoveFix = z.infer<typeof moveFixSchema>;
