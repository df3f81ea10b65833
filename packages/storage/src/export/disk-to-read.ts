/** A disk of a VM that is exported, as `qemu-img` reads it: a file, or a volume that is active on this host meanwhile. */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { Vm, VmDisk } from "@godwit/contract";
import type { UserIds } from "@godwit/system";
import { imageName } from "../image-node.ts";
import { usedBytesOf } from "../linked-image.ts";
import type { VmDatastores } from "../vm-datastores.ts";
import { usingVolume } from "../volume-image.ts";

export interface DiskToRead {
  /** As `qemu-img` names it. */
  source: string;
  /** The same without the base of a linked disk, which its size does not need. */
  measured: string;
  /** Who may read it. */
  user: UserIds;
  /** That it takes on its storage. */
  usedBytes: number;
}

interface Exported {
  vm: Vm;
  stores: VmDatastores;
  user: UserIds;
}

/** @throws DISK_NOT_OWN, DISK_MISSING, DISK_IN_USE, DATASTORE_UNAVAILABLE and what `use` throws */
export async function readingDisk<T>(
  { vm, stores, user }: Exported,
  disk: VmDisk,
  use: (image: DiskToRead) => Promise<T>,
): Promise<T> {
  const [volume] = stores.volumes([disk]);
  if (volume !== undefined) {
    const { store } = volume;
    const image = { store, of: { vm, disk }, path: `${store.name}/${disk.path}` };
    return await usingVolume(image, user, ({ name, virtualBytes }) =>
      use({ source: name, measured: name, user, usedBytes: virtualBytes }),
    );
  }
  const path = stores.pathOf(disk);
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const { uid, gid } = await file.stat().finally(() => file.close());
  const image = stores.imageOf(disk);
  return await use({
    ...{ source: imageName(image), measured: imageName({ ...image, base: null }) },
    ...{ user: { uid, gid }, usedBytes: await usedBytesOf(path, disk.base) },
  });
}

/** What a disk takes on its storage. */
export async function bytesOf(stores: VmDatastores, vm: Vm, disk: VmDisk): Promise<number> {
  const [volume] = stores.volumes([disk]);
  if (volume !== undefined) return await volume.store.sizeOf({ vm, disk });
  return await usedBytesOf(stores.pathOf(disk), disk.base);
}
