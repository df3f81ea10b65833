/** QEMU as Godwit's engine: command line, launch, adoption, migration commands, facts. */
export { vmUnit } from "./unit.ts";
export { readAppArmor } from "./app-armor.ts";
export { commandLine } from "./command-line.ts";
export {
  Hypervisor,
  type EndedProcess,
  type Adopted,
  type HypervisorOptions,
  type Launch,
  writtenStorage,
  type WrittenStorage,
} from "./hypervisor.ts";
export { guestAnswers, guestInterfaces, setGuestClock } from "./guest-agent.ts";
export type { GuestInterface } from "./guest-agent-answers.ts";
export { deleteSnapshot, loadSnapshot, snapshotDisks, snapshotWithMemory } from "./snapshots.ts";
export { DiskCarrier, type CarriedDisks, type DisksPlace } from "./disk-carrier.ts";
export { offerDisks, withdrawDisks } from "./disk-exports.ts";
export { DiskMirror, type MirrorJob } from "./disk-mirror.ts";
export { runPaths, type LaunchSpec, type LaunchUser, type RunPaths } from "./launch-spec.ts";
export type { MigrationPort, MigrationStatus } from "./migration-port.ts";
export { qemuFacts } from "./qemu-facts.ts";
export { QemuProcess } from "./qemu-process.ts";
export { hasTpmEmulator } from "./tpm.ts";
export { uefiFacts, uefiImages, type UefiImages } from "./uefi.ts";
export { vmUser, type UidRange } from "./user.ts";
export { guestState, stopReasonOf, type GuestState } from "./guest-state.ts";
