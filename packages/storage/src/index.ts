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
export { VolumeGroup, type VolumeDisk } from "./datastores/volume-group.ts";
export { markLun } from "./datastores/mark-lun.ts";
export { ReservedLun, type LunDoor } from "./reservations/reserved-lun.ts";
export { isKeyOf, keyOf, mostGeneration, type ReservationKey } from "./reservations/reservation-key.ts";
export {
  isOurs,
  isRegisteredWhole,
  keysToTake,
  mayActivate,
  notFenced,
  notReservable,
  stepOf,
  type LunHere,
} from "./reservations/reservation-rules.ts";
export { wholeExtents } from "./luns/growth.ts";
export { deactivateOf, deactivateStray, resumeSuspended } from "./luns/volume-devices.ts";
export { applyTag, mustHaveTag, removeTag, tagDisks } from "./disk-snapshots.ts";
export { removeDeparted } from "./departed-vm.ts";
export {
  addDiskImage,
  diskBytes,
  forgetDiskNote,
  growDisk,
  noteDisk,
  placeOfNew,
  readDiskNote,
  releaseUnused,
  removeDiskImage,
  settleDiskFile,
} from "./disk-change.ts";
export { freezeDisk, readFreezing, settleFreezing } from "./disk-freezing.ts";
export { usedBytesOf } from "./linked-image.ts";
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
  seenVolumes,
  volumesUnderWay,
  type KnownVolumes,
  type Relocation,
} from "./relocation.ts";
export { placeOf } from "./place-of.ts";
export type { RelocationPlace } from "./relocation-place.ts";
export { VolumePlace } from "./volume-place.ts";
export {
  forgetLapsedRequests,
  forgetLeftVolume,
  noteLeftVolumes,
  readLeftVolumes,
  settleLeftVolumes,
} from "./left-volumes.ts";
export { DiskLeases, type OwnDiskLease } from "./leases/disk-leases.ts";
export type { Lockspace } from "./leases/lockspace.ts";
export { leaseNumberOf, type LeasedVm, type LockspaceStorage } from "./leases/lease-files.ts";
export { fenceInOrder, type FenceStep } from "./reservations/fence-steps.ts";
export { Sanlock } from "./leases/sanlock.ts";
export { createVm, type CompletionDefaults, type CreateOptions } from "./new-vm.ts";
export { checkOwnFiles, inspectDisks } from "./own-files.ts";
export { deleteVm, readVm, saveVm } from "./vm-folder.ts";
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
export {
  changedSince,
  disksNow,
  findMemory,
  mustNotBeSuspended,
  notSuspended,
  removeMemory,
  unfinishedMemory,
  writeMemory,
} from "./suspended-memory.ts";
export { keepUpload, mustTakeUpload, removeUnfinishedUploads } from "./upload-file.ts";
export { watchCopy } from "./copy-progress.ts";
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
