/** What a VM was when somebody began to edit its description, so that a change made meanwhile is found and not lost. */
import { z } from "zod";
import { notesSchema } from "./annotations.ts";
import { balloonSchema } from "./balloon.ts";
import { bootOrderSchema } from "./boot-order.ts";
import { cdromSchema, mostCdroms, type Cdrom } from "./cdrom.ts";
import { cpuAffinitySchema } from "./cpu-affinity.ts";
import { cpuTopologySchema } from "./cpu-topology.ts";
import { hugepageSizeSchema, numaSchema } from "./guest-memory.ts";
import { hostDevicesSchema } from "./host-device.ts";
import { cpuRequestSchema, type Vm } from "./vm.ts";
import { drivesOf, type VmChanges } from "./vm-changes.ts";

/** What is absent is not compared. Null: the VM had none. */
export const vmBasisSchema = z.strictObject({
  memoryMib: z.int().optional(),
  maxMemoryMib: z.int().nullable().optional(),
  vcpus: z.int().optional(),
  tpm: z.boolean().optional(),
  cpuWish: cpuRequestSchema.nullable().optional(),
  cpuAffinity: cpuAffinitySchema.nullable().optional(),
  notes: notesSchema.nullable().optional(),
  hugepages: hugepageSizeSchema.nullable().optional(),
  numa: numaSchema.nullable().optional(),
  topology: cpuTopologySchema.nullable().optional(),
  bootOrder: bootOrderSchema.nullable().optional(),
  balloon: balloonSchema.nullable().optional(),
  hostDevices: hostDevicesSchema.optional(),
  cdroms: z.array(cdromSchema).max(mostCdroms).optional(),
});
export type VmBasis = z.infer<typeof vmBasisSchema>;

/** @returns that of a VM as it is */
export const basisOf = (vm: Pick<Vm, "memoryMib" | "vcpus"> & Partial<Vm>): Required<VmBasis> => ({
  memoryMib: vm.memoryMib,
  maxMemoryMib: vm.maxMemoryMib ?? null,
  vcpus: vm.vcpus,
  tpm: vm.tpm === true,
  cpuWish: vm.cpuWish ?? null,
  cpuAffinity: vm.cpuAffinity ?? null,
  notes: vm.notes ?? null,
  hugepages: vm.hugepages ?? null,
  numa: vm.numa ?? null,
  topology: vm.topology ?? null,
  bootOrder: vm.bootOrder ?? null,
  balloon: vm.balloon ?? null,
  hostDevices: vm.hostDevices ?? [],
  cdroms: vm.cdroms ?? [],
});

/** What of it the changes are held against: an agent of an earlier version does not know all settings. */
export const basisFor = (changes: VmChanges, basis: VmBasis): VmBasis =>
  Object.fromEntries(
    Object.entries(basis).filter(
      ([field]) => field === "cdroms" || changes[field as keyof VmChanges] !== undefined,
    ),
  );

const settings = [
  ...([
    "memoryMib",
    "maxMemoryMib",
    "vcpus",
    "hugepages",
    "numa",
    "topology",
    "bootOrder",
    "balloon",
    "hostDevices",
  ] as const),
  ...(["tpm", "cpuWish", "cpuAffinity", "notes"] as const),
];

/**
 * What is to be changed and is neither as it was nor as it is to be: somebody else has changed it. A change that was cut off halfway is none
 * of these. Tags are added and removed one by one, so that two who change them do not conflict.
 * @param mayBeHalfway whether the change may have been made in part already: then a drive that is disconnected tells nothing
 * @returns names of fields, and of CD-ROM drives
 */
export function conflictsOf(vm: Vm, changes: VmChanges, basis: VmBasis, mayBeHalfway = true): string[] {
  const now = basisOf(vm);
  const fields = settings.filter(
    (field) =>
      changes[field] !== undefined &&
      basis[field] !== undefined &&
      !same(now[field], basis[field]) &&
      !same(now[field], changes[field]),
  );
  const named = (drives: readonly Cdrom[] | undefined, name: string) =>
    drives?.find((drive) => drive.name === name);
  const drives = drivesOf(changes).filter(({ name, medium, connected }) => {
    const [before, drive] = [named(basis.cdroms, name), named(now.cdroms, name)];
    if (before === undefined || drive === undefined) return false;
    const isWanted = same(drive.medium, medium ?? before.medium) && drive.connected === connected;
    // Disconnected with the medium that it had is where a change of it is halfway.
    const isBefore =
      same(drive.medium, before.medium) &&
      (drive.connected === before.connected || (mayBeHalfway && !drive.connected));
    return !isBefore && !isWanted;
  });
  return [...fields, ...drives.map(({ name }) => `CD-ROM drive ${name}`)];
}

/** In any order of keys. */
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a, sorted) === JSON.stringify(b, sorted);
const sorted = (_: string, value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;
