/** Datastores, the VM folders on them, and the leases that say which host may run a VM. */
export { beginArrival, describeArrived, endArrival, removeArrived, type Arrival } from "./arriving-vm.ts";
export { browse } from "./browse.ts";
export { checkMedium } from "./cdrom-media.ts";
export { progressOf as copyProgress, type CopySample } from "./copy-progress.ts";
export { cloneDescription } from "./clone-description.ts";
export { Datastore, identityFile, markDatastore, type DatastoreConfig } from "./datastore.ts";
export type { Mount } from "./datastores/kind.ts";
export { datastoreKinds, folderOf, mountOf } from "./datastores/kinds.ts";
export { LunStore, type Lun } from "./datastores/lun-store.ts";
export { applyTag, mustHaveTag, removeTag, tagDisks } from "./disk-snapshots.ts";
export { removeDeparted } from "./departed-vm.ts";
export { checkOpens, giveDisks } from "./disk-owner.ts";
export {
  beginRelocation,
  copyToTarget,
  describeAt,
  describedImage,
  endRelocation,
  makeTarget,
  readRelocation,
  relocationOf,
  type Relocation,
} from "./relocation.ts";
export { DiskLeases, type OwnDiskLease } from "./leases/disk-leases.ts";
export type { Lockspace } from "./leases/lockspace.ts";
export type { LeasedVm } from "./leases/lease-files.ts";
export { Sanlock } from "./leases/sanlock.ts";
export {
  checkOwnFiles,
  createVm,
  deleteVm,
  inspectDisks,
  readVm,
  saveVm,
  type CompletionDefaults,
  type CreateOptions,
} from "./vm-folder.ts";
export {
  completed,
  deleting,
  mustKeepSnapshots,
  notReverting,
  reverted,
  reverting,
  snapshotOf,
  withoutSnapshot,
  withSnapshot,
} from "./snapshot-description.ts";
export { VmDatastores } from "./vm-datastores.ts";
export { listVmFolders, type VmFolders } from "./vm-folders.ts";
export { readVmFile } from "./vm-file.ts";
export { openInside } from "./copy-file.ts";
export {
  deleteImage,
  keepImage,
  keptImage,
  removeUnfinished,
  type ImageStream,
  type ImageToKeep,
} from "./library-image.ts";
export { checkNvramSize } from "./nvram.ts";
export { checkTpmState, makeTpmState } from "./tpm-state.ts";
export { notExported } from "./export/ovf-envelope.ts";
export { writeOva, type OvaOrder } from "./export/write-ova.ts";
export { readImport } from "./import/read-import.ts";
