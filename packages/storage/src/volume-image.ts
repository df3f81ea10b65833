/**
 * The volume of a VM that is copied, as an image: raw, and active on this host while it is read. The caller has the exclusive lease of
 * that VM, which runs nowhere.
 */
import { GodwitError } from "@godwit/contract";
import type { UserIds } from "@godwit/system";
import type { ReadImage } from "./convert-image.ts";
import { VolumeGroup, type VolumeDisk } from "./datastores/volume-group.ts";
import type { DescribedDisk, DisksToMake } from "./disks-to-make.ts";
import type { VmDatastores } from "./vm-datastores.ts";

export interface VolumeImage {
  store: VolumeGroup;
  of: VolumeDisk;
  /** For people. */
  path: string;
}

/** Null: the image is a file. @throws DISK_NOT_OWN for a volume that is not of the VM that is copied, DATASTORE_WITHOUT_FOLDERS */
export function volumeImageOf(
  stores: VmDatastores,
  { host, imagesOf }: Pick<DisksToMake, "host" | "imagesOf">,
  { name, image = "", imageDatastore: datastore }: DescribedDisk,
): VolumeImage | null {
  if (datastore === undefined) return null;
  const store = stores.blockStoreOf({ datastore });
  if (store === null) return null;
  if (!(store instanceof VolumeGroup) || imagesOf === undefined)
    throw GodwitError.of("DATASTORE_WITHOUT_FOLDERS", { datastore, host });
  const of = { vm: imagesOf, disk: { name, path: image } };
  return { store, of, path: `${datastore}/${store.volumeOf(of)}` };
}

/** @throws DISK_MISSING, DISK_IN_USE, DATASTORE_UNAVAILABLE and what `use` throws */
export async function usingVolume<T>(
  { store, of, path }: VolumeImage,
  user: UserIds,
  use: (read: ReadImage) => Promise<T>,
): Promise<T> {
  const virtualBytes = await store.sizeOf(of);
  const filename = await store.attach(of, user);
  try {
    const node = { driver: "raw", file: { driver: "host_device", filename } };
    return await use({ name: `json:${JSON.stringify(node)}`, what: `copying ${path}`, virtualBytes });
  } finally {
    await store.detach(of);
  }
}
