/** QEMU as Godwit's engine: command line, launch, adoption, migration commands, facts. */
export type { Adopted, EndedProcess } from "./adoption.ts";
export { readAppArmor } from "./app-armor.ts";
export { guestMemoryBytes, setMemoryTarget } from "./balloon.ts";
export { commandLine } from "./command-line.ts";
export type { MigrationCredentials } from "./credentials.ts";
export {
  Hypervisor,
  type HypervisorOptions,
  type Launch,
  writtenStorage,
  type WrittenStorage,
} from "./hypervisor.ts";
export { guestAnswers, guestInterfaces, setGuestClock } from "./guest-agent.ts";
export type { GuestInterface } from "./guest-agent-answers.ts";
export { beginSaving, hasGivenDisksBack, loadMemory, saved, savingIsOver } from "./suspension.ts";
export { deleteSnapshot, loadSnapshot, snapshotDisks, snapshotWithMemory } from "./snapshots.ts";
export { DiskCarrier, type CarriedDisks, type DisksPlace } from "./disk-carrier.ts";
export { offerDisks, withdrawDisks } from "./disk-exports.ts";
export {
  freeNicNumber,
  isPluggable,
  isQ35,
  mayBeBehindPort,
  placeForDisk,
  placeForNic,
  placesOf,
  poweredOn,
  withPlaces,
  hasHostDeviceSlots,
  type DevicePlaces,
  type PlaceRequest,
} from "./device-places.ts";
export {
  deviceIds,
  forgetDisk,
  forgetNic,
  nicDeviceId,
  plugDisk,
  plugNic,
  resizeDisk,
  setLinks,
  sizeOfDisk,
  sizesOfDisks,
  unplug,
} from "./hot-plug.ts";
export { DiskMirror, type MirrorImage, type MirrorJob } from "./disk-mirror.ts";
export { imageFilesOf, runPaths, type LaunchSpec, type LaunchUser, type RunPaths } from "./launch-spec.ts";
export { announcedWithinMs, type MigrationPort, type MigrationStatus } from "./migration-port.ts";
export { qemuFacts } from "./qemu-facts.ts";
export { QemuProcess } from "./qemu-process.ts";
export { hasTpmEmulator } from "./tpm.ts";
export { uefiFacts, uefiImages, type UefiImages } from "./uefi.ts";
export { vmUser, type UidRange } from "./user.ts";
export { isLargestFirst } from "./guest-memory.ts";
export { forgetMemory, pluggedOf, plugMemory } from "./memory-devices.ts";
export { vmLimits } from "./limits.ts";
export { guestState, stopReasonOf, type GuestState } from "./guest-state.ts";
export { hostDeviceId } from "./host-devices.ts";
