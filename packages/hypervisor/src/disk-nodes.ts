/**
 * The block nodes that a VM's disk is on in QEMU: what its bytes lie on, and their format above it. A disk that moves to another
 * image while it runs has two pairs of them for a time, so there are two names.
 */
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

/** Of a disk that the host has, which the specification names. */
export function hostStorage(
  { diskPaths, blockDevices }: Pick<LaunchSpec, "diskPaths" | "blockDevices">,
  disk: string,
): StorageOptions {
  const filename = diskPaths[disk];
  if (filename === undefined) throw new TypeError(`no place for disk ${disk}`);
  return blockDevices?.includes(disk) === true ? deviceStorage(filename) : fileStorage(filename);
}

/** As QEMU is given them, the lower one first. */
export function diskNodes(names: DiskNodeNames, format: VmDisk["format"], storage: StorageOptions) {
  // Another host must read from the storage itself what this one wrote.
  const cache = { direct: true, "no-flush": false };
  return [
    { ...storage, "node-name": names.storage, discard: "unmap", cache },
    {
      driver: format,
      "node-name": names.format,
      file: names.storage,
      // Images are complete in themselves: what a header names beside is not opened, whoever wrote it.
      ...(format === "qcow2" ? { backing: null } : {}),
      discard: "unmap",
      cache,
    },
  ] as const;
}

/** What the device of a disk has, which is named as the disk is: QEMU gives its name, or of virtio the path of it. */
export const insertedIn = (blocks: CommandReply<"query-block">, disk: string) =>
  blocks.find(({ qdev }) => qdev === disk || qdev === `/machine/peripheral/${disk}/virtio-backend`)?.inserted;
