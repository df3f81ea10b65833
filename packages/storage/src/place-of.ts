/** Which kind of place an image of a disk that moves has. */
import { GodwitError, isVolumePath, type DiskBase, type Vm, type VmDisk } from "@godwit/contract";
import { VolumeGroup } from "./datastores/volume-group.ts";
import { FilePlace } from "./file-place.ts";
import type { PlacedDisk, RelocationPlace } from "./relocation-place.ts";
import type { VmDatastores } from "./vm-datastores.ts";
import { VolumePlace } from "./volume-place.ts";

interface Image {
  datastore: string;
  path: string;
  /** Absent: the disk's. */
  format?: VmDisk["format"] | undefined;
}

/** @param vm as `vm.json` has it. @throws DISK_NOT_OWN for what is not this disk's, or of another kind than its datastore; DISK_IS_LUN */
export function placeOf(
  stores: VmDatastores,
  vm: Vm,
  { disk, from, to, base }: { disk: string; from: Image; to: Image; base?: DiskBase | undefined },
  image: "source" | "target",
): RelocationPlace {
  const { datastore, path, format: placed } = image === "source" ? from : to;
  const format = placed ?? vm.disks.find(({ name }) => name === disk)?.format ?? "qcow2";
  // An image that a disk moves to is complete in itself.
  const at: PlacedDisk = { vm, disk, path, format, ...(image === "source" ? { base } : {}) };
  const block = stores.blockStoreOf({ datastore });
  if (block instanceof VolumeGroup) return new VolumePlace(block, at);
  if (isVolumePath(path)) {
    const reason = `datastore ${datastore} has files and no volumes`;
    throw GodwitError.of("DISK_NOT_OWN", { vm: vm.name, disk, path, reason });
  }
  if (block === null) return new FilePlace(stores, stores.named(datastore), at);
  throw GodwitError.of("DISK_IS_LUN", { vm: vm.name, disk, datastore });
}
