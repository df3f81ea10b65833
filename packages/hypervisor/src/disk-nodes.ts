/**
 * The block nodes that a VM's disk is on in QEMU: what its bytes lie on, and their format above it. A disk that moves to another
 * image while it runs has two pairs of them for a time, so there are two names.
 */
import { basename, dirname, join } from "node:path";
import type { VmDisk } from "@godwit/contract";
import type { CommandReply } from "@godwit/qmp";
import type { LaunchSpec } from "./launch-spec.ts";
import { nodeName } from "./node-name.ts";

/** Which of its two names a disk's nodes have. QEMU is started with the first. */
export const diskNodeNames = (disk: string): readonly [DiskNodeNames, DiskNodeNames] => [
  { storage: nodeName("file-", disk), format: nodeName("disk-", disk) },
  // A dot is in no name that people choose.
  { storage: nodeName("file.", disk), format: nodeName("disk.", disk) },
];

export interface DiskNodeNames {
  storage: string;
  format: string;
}

export type StorageOptions = Record<string, string | number>;

/** Of a linked disk: an image that it reads and never writes to, which other VMs read too. */
export interface DiskBaseImage {
  /** Absolute, seen by QEMU. */
  filename: string;
  format: "qcow2" | "raw";
}

/** The base lies beside the disk's image. Null: the image is complete in itself. */
export function baseOf(
  { vm, diskPaths }: Pick<LaunchSpec, "vm" | "diskPaths">,
  disk: string,
): DiskBaseImage | null {
  const base = vm.disks.find(({ name }) => name === disk)?.base;
  const image = diskPaths[disk];
  if (base === undefined || image === undefined) return null;
  return { filename: join(dirname(image), basename(base.path)), format: base.format };
}

/** Absolute paths of all bases of a VM's disks. */
export const baseFilesOf = (spec: Pick<LaunchSpec, "vm" | "diskPaths">): string[] =>
  spec.vm.disks.flatMap(({ name }) => baseOf(spec, name)?.filename ?? []);

/** A base is under the first of a disk's two names only: an image that a disk moves to is complete in itself. */
export const baseNodeNames = (disk: string): DiskNodeNames => ({
  storage: nodeName("basefile-", disk),
  format: nodeName("base-", disk),
});

/** As QEMU is given them, the lower one first: read-only, and without anything below. */
export function baseNodes(disk: string, { filename, format }: DiskBaseImage) {
  const names = baseNodeNames(disk);
  const cache = { direct: true, "no-flush": false };
  return [
    { ...fileStorage(filename), "node-name": names.storage, "read-only": true, cache },
    {
      driver: format,
      "node-name": names.format,
      file: names.storage,
      ...(format === "qcow2" ? { backing: null } : {}),
      "read-only": true,
      cache,
    },
  ] as const;
}

/** For a file. @param filename absolute, seen by QEMU */
export const fileStorage = (filename: string): StorageOptions => ({
  driver: "file",
  filename,
  locking: "on",
  aio: "threads",
});

/** For a block device of the host. @param filename absolute, seen by QEMU */
const deviceStorage = (filename: string): StorageOptions => ({
  ...fileStorage(filename),
  driver: "host_device",
});

/** For either. */
export const storageAt = (filename: string, isDevice: boolean): StorageOptions =>
  isDevice ? deviceStorage(filename) : fileStorage(filename);

/** Of a disk that the host has, which the specification names. */
export function hostStorage(
  { diskPaths, blockDevices }: Pick<LaunchSpec, "diskPaths" | "blockDevices">,
  disk: string,
): StorageOptions {
  const filename = diskPaths[disk];
  if (filename === undefined) throw new TypeError(`no place for disk ${disk}`);
  return storageAt(filename, blockDevices?.includes(disk) === true);
}

/**
 * As QEMU is given them, the lower one first.
 * @param backing the node of the disk's base; null: its image is complete in itself
 */
export function diskNodes(
  names: DiskNodeNames,
  format: VmDisk["format"],
  storage: StorageOptions,
  backing: string | null = null,
) {
  // Another host must read from the storage itself what this one wrote.
  const cache = { direct: true, "no-flush": false };
  return [
    { ...storage, "node-name": names.storage, discard: "unmap", cache },
    {
      driver: format,
      "node-name": names.format,
      file: names.storage,
      // What a header names beside is not opened, whoever wrote it: what is below is said here.
      ...(format === "qcow2" ? { backing } : {}),
      discard: "unmap",
      cache,
    },
  ] as const;
}

/** All nodes of a disk that the host has as a file or a device, the lowest one first. */
export function allNodes(
  spec: Pick<LaunchSpec, "vm" | "diskPaths">,
  { name, format }: Pick<VmDisk, "name" | "format">,
  storage: StorageOptions,
) {
  const [names] = diskNodeNames(name);
  const base = baseOf(spec, name);
  if (base === null) return diskNodes(names, format, storage);
  return [
    ...baseNodes(name, base),
    ...diskNodes(names, format, storage, baseNodeNames(name).format),
  ] as const;
}

/** What the device of a disk has, which is named as the disk is: QEMU gives its name, or of virtio the path of it. */
export const insertedIn = (blocks: CommandReply<"query-block">, disk: string) =>
  blocks.find(({ qdev }) => qdev === disk || qdev === `/machine/peripheral/${disk}/virtio-backend`)?.inserted;
