/**
 * A VM as its owner describes it (`VmDescription`), and as it stands complete in its folder on the
 * datastore (`Vm`, the file `vm.json`).
 */
import { z } from "zod";
import { growsInMemory, maxMemoryProblems } from "../memory-growth.ts";
import { hasAnnotations, notesSchema, tagsSchema } from "./annotations.ts";
import { balloonProblems, balloonSchema } from "./balloon.ts";
import { bootOrderProblems, bootOrderSchema } from "./boot-order.ts";
import { cdromDescriptionSchema, cdromSchema, mostCdroms } from "./cdrom.ts";
import { cpuAffinitySchema } from "./cpu-affinity.ts";
import { cpuTopologySchema } from "./cpu-topology.ts";
import { datastorePathSchema, foreignPathSchema } from "./datastore-path.ts";
import { lunOf } from "./datastore-source.ts";
import { diskBaseSchema, hasLinkedDisks } from "./disk-base.ts";
import {
  diskBusSchema,
  hasModels,
  nicModelSchema,
  storedDiskBusSchema,
  storedNicModelSchema,
} from "./device-models.ts";
import { devicePlaceSchema, hasPlaces, mostPorts } from "./device-place.ts";
import { evcModeKeySchema } from "./evc.ts";
import { hasMemoryLayout, hugepageSizeSchema, memoryProblems, numaSchema } from "./guest-memory.ts";
import { firmwareSchema } from "./firmware.ts";
import { memoryDevicesSchema } from "./memory-devices.ts";
import { hostDeviceDescriptionsSchema, hostDevicesSchema } from "./host-device.ts";
import { imageChecksumSchema, imageFormatSchema, imagePartSchema } from "./image-source.ts";
import { nameSchema, vmIdSchema } from "./names.ts";
import { mostSnapshots, snapshotIdSchema, snapshotSchemaOf } from "./snapshot.ts";
import { suspensionSchema } from "./suspension.ts";

export const macSchema = z
  .string()
  .regex(
    /^[0-9a-f][02468ace](?::[0-9a-f]{2}){5}$/,
    "must be a unicast MAC address in lower case, like 52:54:00:12:34:56",
  );

/** The only IP addresses that the VM may send from on this NIC; absent: any. */
export const nicAddressesSchema = z
  .array(z.union([z.ipv4(), z.ipv6()], "must be an IP address"))
  .min(1)
  .max(32)
  .optional();

/** QEMU's name of a CPU model, always with its version: `Nehalem-v2`. */
const cpuModelSchema = z
  .string()
  .max(100)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "must be a QEMU CPU model name");
const cpuFeatureSchema = z
  .string()
  .max(100)
  .regex(/^[a-z0-9][a-z0-9._-]*$/, "must be a QEMU CPU property name");

/**
 * What the VM's owner asks of its CPU. Nothing asked: the baseline of its pool or, without one, what its host has
 * when it is powered on.
 */
export const cpuRequestSchema = z
  .strictObject({
    /** A certain model of QEMU's, always. */
    model: cpuModelSchema.optional(),
    /** QEMU property names that are added to or taken from whatever the model is. */
    add: z.array(cpuFeatureSchema).default([]),
    remove: z.array(cpuFeatureSchema).default([]),
    /** An EVC mode of its own; in a pool that has one, not above it. */
    evcMode: evcModeKeySchema.optional(),
    /** vSphere's masks, keys and values as in a `.vmx` file. */
    masks: z.record(z.string().max(100), z.string().max(100)).optional(),
  })
  .refine(
    (cpu) => cpu.model === undefined || cpu.evcMode === undefined,
    "has either a model or an evcMode, not both",
  );
export type CpuRequest = z.infer<typeof cpuRequestSchema>;

/** What came of it when the VM was last powered on; the guest sees this until it is powered off. */
export const cpuSchema = z.strictObject({
  model: cpuModelSchema,
  add: z.array(cpuFeatureSchema).default([]),
  remove: z.array(cpuFeatureSchema).default([]),
  /** The revision of the EVC mode that this is, its own or its pool's; absent: no baseline. */
  evcMode: evcModeKeySchema.optional(),
  /** As CPUID spells it; stored where the guest sees the host's own vendor, which it then keeps. */
  vendor: z.string().optional(),
  /** All that the guest may see: names of the feature table, sorted. */
  features: z.array(cpuFeatureSchema).optional(),
});

/** Direct boot of a kernel that lies on the VM's datastore; without it the VM boots from its first disk. */
export const bootSchema = z.strictObject({
  kernel: datastorePathSchema,
  initrd: datastorePathSchema.optional(),
  commandLine: z
    .string()
    .max(2048)
    .regex(/^[\x20-\x7e]*$/, "must be printable ASCII")
    .default(""),
});

/** Versioned, so that the same machine is made everywhere and at any time. */
const machineSchema = z
  .string()
  .max(40)
  .regex(/^pc-(?:q35|i440fx)-\d+\.\d+$/, "must be a versioned machine type, like pc-q35-7.2");

/** Whether a disk says more of its image than where it is, which agents of before images were converted do not know. */
export const isConverted = (disk: {
  imageFormat?: unknown;
  imagePart?: unknown;
  imageChecksum?: unknown;
}): boolean =>
  disk.imageFormat !== undefined || disk.imagePart !== undefined || disk.imageChecksum !== undefined;

/** Of a VM that is described. */
export const memoryMibSchema = z.int().min(16).max(4_194_304);
export const vcpusSchema = z.int().min(1).max(288);

const diskFieldsSchema = z.strictObject({
  name: nameSchema,
  /** Where the disk lies; absent: on the VM's own datastore. */
  datastore: nameSchema.optional(),
  /** An image that is already on a datastore: it is copied. */
  image: foreignPathSchema.optional(),
  /** What the image is, where that is not the disk's format: it is converted. */
  imageFormat: imageFormatSchema.optional(),
  /** Where the image is inside its file; absent: it is the whole file. */
  imagePart: imagePartSchema.optional(),
  /** Of the image's bytes; compared before they are used. */
  imageChecksum: imageChecksumSchema.optional(),
  /** Where the image lies; absent: on the disk's datastore. */
  imageDatastore: nameSchema.optional(),
  /** The image itself becomes the disk, and is not copied. Deleting the VM keeps it, unless told otherwise. */
  take: z.boolean().optional(),
  /** The disk is linked to the image, which is one of the library on the disk's datastore: it reads from it what it has not written. */
  linked: z.boolean().optional(),
  /** The size of a new, empty image; of a copied one, what it grows to. */
  sizeMib: z.int().min(1).max(67_108_864).optional(),
  format: z.enum(["qcow2", "raw"]).default("qcow2"),
  /** What the guest sees it on; absent: virtio-blk. */
  bus: diskBusSchema.optional(),
});

/** The same with a name that may be left open. */
export const newDiskSchema = diskFieldsSchema.partial({ name: true });

/** A disk as it is asked for. */
export const diskToAddSchema = diskFieldsSchema
  .refine((disk) => disk.image !== undefined || disk.sizeMib !== undefined, "needs image or sizeMib")
  .refine((disk) => disk.take !== true || disk.image !== undefined, "take needs an image")
  .refine(
    (disk) => disk.take !== true || disk.sizeMib === undefined,
    "an image that is taken keeps its size: leave out sizeMib",
  )
  .refine(
    (disk) => disk.linked !== true || (disk.image !== undefined && disk.take !== true),
    "linked needs an image that is not taken",
  )
  .refine((disk) => disk.linked !== true || disk.format === "qcow2", "a linked disk is a qcow2 image")
  .refine(
    (disk) => disk.linked !== true || (disk.imagePart === undefined && disk.imageChecksum === undefined),
    "a disk is linked to a whole image: leave out imagePart and imageChecksum",
  )
  .refine(
    (disk) => disk.imageDatastore === undefined || (disk.image !== undefined && disk.take !== true),
    "imageDatastore needs an image that is copied",
  )
  .refine(
    (disk) => !isConverted(disk) || (disk.image !== undefined && disk.take !== true),
    "imageFormat, imagePart and imageChecksum need an image that is copied",
  )
  .refine(
    (disk) => disk.take !== true || datastorePathSchema.safeParse(disk.image).success,
    "the path of an image that is taken must be one of plain names",
  );
export type DiskToAdd = z.infer<typeof diskToAddSchema>;

export const vmDescriptionSchema = z
  .strictObject({
    name: nameSchema,
    /** Where the VM's folder lies, with its description, its lease and the disks that name no other. */
    datastore: nameSchema,
    memoryMib: memoryMibSchema,
    /** What it can grow to while it runs. Absent: its memory does not grow while it runs. */
    maxMemoryMib: memoryMibSchema.optional(),
    vcpus: vcpusSchema.default(1),
    cpu: cpuRequestSchema.optional(),
    /** A versioned QEMU machine type; chosen at creation where absent, and then kept for the VM's life. */
    machine: machineSchema.optional(),
    disks: z.array(diskToAddSchema).max(24).default([]),
    nics: z
      .array(
        z.strictObject({
          portGroup: nameSchema,
          mac: macSchema.optional(),
          addresses: nicAddressesSchema,
          /** What the guest sees; absent: virtio-net. */
          model: nicModelSchema.optional(),
          /** Whether its link is up; absent: it is. */
          connected: z.boolean().optional(),
        }),
      )
      .max(8)
      .default([]),
    cdroms: z.array(cdromDescriptionSchema).max(mostCdroms).optional(),
    cpuAffinity: cpuAffinitySchema.optional(),
    boot: bootSchema.optional(),
    /** What it boots from, a NIC by its position; absent: its first disk, and then its CD-ROM drives. */
    bootOrder: bootOrderSchema.optional(),
    /** What it boots by; absent: bios. */
    firmware: z.enum(["bios", "uefi"]).optional(),
    /** Only what is signed is booted. */
    secureBoot: z.boolean().optional(),
    /** A TPM 2.0 of its own. */
    tpm: z.boolean().optional(),
    /** The guest has QEMU's guest agent, and gets a port for it: its clock is set right after a move's pause. */
    guestAgent: z.boolean().default(false),
    /** To find it by. */
    tags: tagsSchema.optional(),
    /** Free text for people. */
    notes: notesSchema.optional(),
    /** Its memory is of huge pages of its host; absent: of ordinary ones. */
    hugepages: hugepageSizeSchema.optional(),
    /** NUMA nodes that its guest sees; absent: it sees none. */
    numa: numaSchema.optional(),
    /** What its guest sees its vCPUs as; absent: cores of one socket, or of a socket for each of NUMA nodes that are equal. */
    topology: cpuTopologySchema.optional(),
    /** By which its guest gives memory back while it runs; absent: it has none. */
    balloon: balloonSchema.optional(),
    /** Devices of its host that it has for itself; absent: none. */
    hostDevices: hostDeviceDescriptionsSchema.optional(),
  })
  .superRefine((vm, context) => {
    for (const { path, message } of [
      ...memoryProblems(vm),
      ...maxMemoryProblems(vm),
      ...balloonProblems(vm),
      ...bootOrderProblems(vm),
    ])
      context.addIssue({ code: "custom", path, message });
  })
  .refine((vm) => vm.secureBoot !== true || vm.firmware === "uefi", {
    message: "needs firmware: uefi",
    path: ["secureBoot"],
  })
  .refine((vm) => vm.secureBoot !== true || vm.machine?.startsWith("pc-i440fx") !== true, {
    message: "needs a q35 machine",
    path: ["secureBoot"],
  });
export type VmDescription = z.infer<typeof vmDescriptionSchema>;
export type VmDescriptionInput = z.input<typeof vmDescriptionSchema>;

export const diskSchema = z.strictObject({
  name: nameSchema,
  /** Absent: on the VM's own. */
  datastore: nameSchema.optional(),
  /** Relative to the datastore. */
  path: datastorePathSchema,
  format: z.enum(["qcow2", "raw"]),
  /** Whether it was an image that the VM took over; false: Godwit made or copied it. Absent: not known, of before that was noted. */
  taken: z.boolean().optional(),
  /** What it reads where nothing was written to it; the image's header names the same. Absent: its image is complete in itself. */
  base: diskBaseSchema.optional(),
  /** Absent: virtio-blk. */
  bus: storedDiskBusSchema.optional(),
  /** Absent: it follows from its position. */
  place: devicePlaceSchema.optional(),
});

/** `made`: those that Godwit is known to have made or copied; images that were taken over, or may have been, are kept. */
export const disksToDeleteSchema = z.enum(["made", "all", "none"]);
export type DisksToDelete = z.infer<typeof disksToDeleteSchema>;

/** Why a disk stays when its VM is deleted. `unknown`: it may be an image that the VM took over. `lun`: its administrator made it. */
export const keptReasonSchema = z.enum(["asked", "taken", "unknown", "lun"]);
export type KeptReason = z.infer<typeof keptReasonSchema>;

export const keptDiskSchema = z.object({
  path: z.string(),
  /** Absent: on the VM's own. */
  datastore: nameSchema.optional(),
  because: keptReasonSchema,
});

/** Null: it is deleted. What is not known to be Godwit's own is kept, for it may be somebody's only copy. */
export function keptBecause(
  { taken, path }: Pick<VmDisk, "taken" | "path">,
  which: DisksToDelete,
): KeptReason | null {
  if (lunOf(path) !== null) return "lun";
  if (which === "all") return null;
  if (which === "none") return "asked";
  if (taken === undefined) return "unknown";
  return taken ? "taken" : null;
}

/** A VM without its snapshots. */
const vmAsItIsSchema = z.strictObject({
  version: z.union([z.literal(1), z.literal(2)]),
  id: vmIdSchema,
  name: nameSchema,
  datastore: nameSchema,
  /** All of it, with what was plugged in since it was powered on. */
  memoryMib: z.int().min(1),
  /** What it can grow to while it runs. Absent: its memory does not grow while it runs. */
  maxMemoryMib: z.int().min(1).optional(),
  /** What was plugged in since it was powered on last; of a VM that is off plain memory, and gone from here with its next start. Absent: none. */
  memoryDevices: memoryDevicesSchema.optional(),
  vcpus: z.int().min(1),
  cpu: cpuSchema,
  /** Absent: nothing is asked. */
  cpuWish: cpuRequestSchema.optional(),
  machine: machineSchema,
  /** The accelerator that the VM was made for; a live move keeps it. */
  disks: z.array(diskSchema),
  nics: z.array(
    z.strictObject({
      portGroup: nameSchema,
      mac: macSchema,
      addresses: nicAddressesSchema,
      /** Absent: virtio-net. */
      model: storedNicModelSchema.optional(),
      /** Absent: its link is up. */
      connected: z.literal(false).optional(),
      /** By which its tap and its device are named; absent: its position. */
      number: z.int().min(0).max(31).optional(),
      /** Absent: it follows from its position. */
      place: devicePlaceSchema.optional(),
    }),
  ),
  /** PCIe root ports, which devices are plugged into while it runs, as it was powered on last; absent: none. */
  pciePorts: z.int().min(1).max(mostPorts).optional(),
  /** Absent: it has no drive. */
  cdroms: z.array(cdromSchema).max(mostCdroms).optional(),
  /** Absent: all CPUs of its host. */
  cpuAffinity: cpuAffinitySchema.optional(),
  boot: bootSchema.optional(),
  /** A NIC is named by its number. Absent: its first disk, and then its CD-ROM drives. */
  bootOrder: bootOrderSchema.optional(),
  /** Absent: the BIOS. */
  firmware: firmwareSchema.optional(),
  /** Absent: it has none. */
  tpm: z.literal(true).optional(),
  /** Absent: it has no port for a guest agent. */
  guestAgent: z.literal(true).optional(),
  /** Absent: ordinary pages. */
  hugepages: hugepageSizeSchema.optional(),
  /** Absent: its guest sees none. */
  numa: numaSchema.optional(),
  /** Absent: cores of one socket, or of a socket for each of NUMA nodes that are equal. */
  topology: cpuTopologySchema.optional(),
  /** Absent: it has no balloon, nor has its QEMU. */
  balloon: balloonSchema.optional(),
  /** Absent: none. */
  hostDevices: hostDevicesSchema.optional(),
  /** PCI slot of the USB controller that it was powered on with, which stays when its USB devices are removed while it runs; absent: none. */
  usbSlot: z.int().min(0).max(31).optional(),
});

const snapshotSchema = snapshotSchemaOf(
  vmAsItIsSchema.omit({ version: true, id: true, name: true, datastore: true }),
);
export type Snapshot = z.infer<typeof snapshotSchema>;

/**
 * `vm.json`: the whole VM at rest, with nothing left to defaults. Version 2 has what version 1 does not know: CD-ROM
 * drives, CPU affinity, UEFI, a TPM, snapshots, a suspension, tags, notes, huge pages, NUMA nodes, a CPU topology, a boot order, a balloon, a maximum of memory, host devices, linked disks, disks and NICs that are not virtio or have places of their own, and disks on other datastores than the VM's own. A VM that has none of it is written as version 1, which programs of before read too.
 */
export const vmSchema = vmAsItIsSchema.extend({
  /** The oldest first. Absent: it has none, and never had. */
  snapshots: z.array(snapshotSchema).max(mostSnapshots).optional(),
  /** The one that the VM's disks came from last; absent: none. */
  currentSnapshot: snapshotIdSchema.optional(),
  /**
   * Its disks are being made those of this snapshot, or its guest is to go on from it: whoever runs the VM next completes the first
   * before, and takes this away before the guest runs. So a guest goes on from a snapshot's memory once, however often that is asked.
   */
  revertingTo: snapshotIdSchema.optional(),
  /**
   * It is suspended to disk: its guest goes on from there at its next start. Whoever lets its guest run takes this away before, so
   * that no guest goes on from there twice.
   */
  suspension: suspensionSchema.optional(),
  /** In order of the alphabet. Absent: none. */
  tags: tagsSchema.optional(),
  /** Absent: none. */
  notes: notesSchema.optional(),
});
export type Vm = z.infer<typeof vmSchema>;

/** A VM's snapshots, without what the VM was then. */
export const snapshotListSchema = z.object({
  /** The oldest first. */
  snapshots: z.array(
    snapshotSchema.omit({ vm: true }).extend({
      memoryMib: z.int(),
      /** Whether the VM's disks came from it last. */
      current: z.boolean(),
    }),
  ),
});
export type SnapshotList = z.infer<typeof snapshotListSchema>;

/** With the version that its content needs. */
export const versioned = (vm: Vm): Vm => ({
  ...vm,
  version:
    vm.cdroms === undefined &&
    vm.cpuAffinity === undefined &&
    vm.snapshots === undefined &&
    vm.firmware === undefined &&
    vm.tpm === undefined &&
    vm.suspension === undefined &&
    !hasAnnotations(vm) &&
    !hasMemoryLayout(vm) &&
    vm.topology === undefined &&
    vm.bootOrder === undefined &&
    vm.balloon === undefined &&
    !growsInMemory(vm) &&
    vm.hostDevices === undefined &&
    vm.usbSlot === undefined &&
    !hasModels(vm) &&
    !hasPlaces(vm) &&
    !hasLinkedDisks(vm) &&
    vm.disks.every(({ datastore }) => datastore === undefined)
      ? 1
      : 2,
});
export type VmCpu = z.infer<typeof cpuSchema>;
export type VmDisk = z.infer<typeof diskSchema>;
/** A disk with how large it is; null: that could not be found out, or it is a LUN of a VM at rest. */
export const sizedDiskSchema = diskSchema.extend({ sizeBytes: z.number().min(0).nullable() });
export type SizedDisk = z.infer<typeof sizedDiskSchema>;
export type VmNic = Vm["nics"][number];

/** Where each part of a VM lies that it cannot run without: its folder, and its disks. */
export interface StoredVm {
  datastore: string;
  disks: readonly { name: string; datastore?: string | undefined }[];
}

/** Names, the VM's own first. */
export const datastoresOf = ({ datastore, disks }: StoredVm): string[] => [
  ...new Set([datastore, ...disks.map((disk) => disk.datastore ?? datastore)]),
];

/** Where a VM's QEMU writes: its disks, and of its folder the variables of UEFI and the state of a TPM. */
export const writtenDatastores = ({
  firmware,
  tpm,
  datastore,
  disks,
}: StoredVm & Pick<Vm, "firmware" | "tpm">): string[] => [
  ...new Set([
    ...(firmware === undefined && tpm !== true ? [] : [datastore]),
    ...disks.map((disk) => disk.datastore ?? datastore),
  ]),
];

/** Where the images lie that a new VM's disks are copied from, where that is said. */
export const imageDatastores = ({ disks }: Pick<VmDescription, "disks">): string[] =>
  disks.flatMap(({ imageDatastore }) => imageDatastore ?? []);

/** The LUNs that a new VM's disks are to be. */
export const lunsOf = ({
  disks,
}: Pick<VmDescription, "disks">): { name: string; datastore?: string | undefined; path: string }[] =>
  disks.flatMap(({ name, datastore, image }) =>
    image === undefined || lunOf(image) === null ? [] : [{ name, datastore, path: image }],
  );

/** What of a VM lies on each of its datastores, in words; its own comes first. */
export const storedParts = (vm: StoredVm): { datastore: string; parts: string[] }[] =>
  datastoresOf(vm).map((datastore) => ({
    datastore,
    parts: [
      ...(datastore === vm.datastore ? ["its folder"] : []),
      ...vm.disks.flatMap((disk) =>
        (disk.datastore ?? vm.datastore) === datastore ? [`disk ${disk.name}`] : [],
      ),
    ],
  }));

/** A VM in the words of a version of the protocol: version 1 refuses a disk that says where it comes from. */
export const vmInVersion = (vm: Vm, version: number): Vm =>
  version > 1 ? vm : { ...vm, disks: vm.disks.map(({ taken: _, ...disk }) => disk) };
