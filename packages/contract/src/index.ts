/** The contract: names, schemas, errors and operations that every part of Godwit shares. No I/O. */
export { newestMachine } from "./machine-types.ts";
export { agentOperations, peerPath } from "./operations/agent.ts";
export { serverOperations } from "./operations/server.ts";
export type {
  Answer,
  EventOf,
  Given,
  Operation,
  Operations,
  Privilege,
  Received,
} from "./operations/operation.ts";
export * from "./errors/index.ts";
export { pauseText, type PauseReason } from "./errors/pause.ts";
export { findingSchema, problemSchema } from "./errors/schemas.ts";
export { agentEventSchema, type AgentEvent } from "./events/agent.ts";
export { eventHeadSchema, type EventHead, type NewEvent } from "./events/event.ts";
export * from "./clocks.ts";
export * from "./hello.ts";
export * from "./server-generation.ts";
export { isComparable, parseJson } from "./json.ts";
export { serverEventSchema, type ServerEvent } from "./events/server.ts";
export * from "./schemas/addresses.ts";
export type { AuthorityView, HostTrust } from "./schemas/authority.ts";
export * from "./schemas/console.ts";
export * from "./schemas/cpu.ts";
export * from "./schemas/datastore.ts";
export {
  hasFolders,
  hasLeases,
  initiatorOf,
  isBlockPath,
  isVolumePath,
  mostVolumeNameLength,
  volumePath,
  isSameSource,
  lunOf,
  portalText,
  type FolderSource,
  type IscsiSource,
  type LunSource,
  type NfsSource,
  sourceText,
  type DatastoreKind,
  type DatastoreSource,
} from "./schemas/datastore-source.ts";
export { changeInWords, type DeviceChange, type DeviceOrder } from "./schemas/device-changes.ts";
export { datastorePathSchema } from "./schemas/datastore-path.ts";
export {
  diskBaseOf,
  diskBasePaths,
  diskBaseSchema,
  hasLinkedDisks,
  isBasePath,
  type DiskBase,
} from "./schemas/disk-base.ts";
export {
  hasAnnotations,
  mostNotesCharacters,
  mostTags,
  notesOf,
  notesSchema,
  storedAnnotations,
  tagSchema,
  tagsSchema,
  withTags,
  type TagChanges,
} from "./schemas/annotations.ts";
export {
  hostDeviceDescriptionsSchema,
  hostDeviceFactsSchema,
  hostDeviceProblem,
  hostDeviceText,
  sameHostDevice,
  type HostDevice,
  type HostDeviceDescription,
  type HostDeviceFacts,
} from "./schemas/host-device.ts";
export { balloonProblems, balloonSchema, targetMibOf, type Balloon } from "./schemas/balloon.ts";
export { bootDevices, bootOrderProblems, bootOrderSchema, keptBootOrder } from "./schemas/boot-order.ts";
export { topologyText, vcpusOf } from "./cpu-topology.ts";
export { cpuTopologySchema, type CpuTopology } from "./schemas/cpu-topology.ts";
export {
  hasMemoryLayout,
  hostNodesOf,
  hugepageMib,
  hugepageSizeSchema,
  hugepagesOf,
  memoryProblems,
  numaSchema,
  type HugepageLoad,
  type HugepageSize,
  type MemoryLayout,
} from "./schemas/guest-memory.ts";
export {
  bootMemoryMib,
  growsInMemory,
  maxMemoryProblems,
  memoryDeviceProblems,
  memoryGrowth,
  withMemoryDevices,
  withPlainMemory,
  type GrowthProblem,
} from "./memory-growth.ts";
export { memorySlots } from "./memory-slots.ts";
export { type MemoryDevice } from "./schemas/memory-devices.ts";
export {
  balloonOf,
  changesBalloon,
  changesLayout,
  changesMaximum,
  changesMemory,
  drivesOf,
  maxMemoryOf,
  memoryLayoutOf,
} from "./schemas/vm-changes.ts";
export { basisFor, basisOf, conflictsOf, type VmBasis } from "./schemas/vm-basis.ts";
export { hasPlaces, mostPorts, nicNumber, type DevicePlace } from "./schemas/device-place.ts";
export { hasModels, storedBus, storedModel, type DiskBus, type NicModel } from "./schemas/device-models.ts";
export * from "./schemas/evc.ts";
export {
  guestAddressesSchema,
  mostGuestAddresses,
  type GuestAddress,
  type GuestAddresses,
} from "./schemas/guest-address.ts";
export { type DiskRelocation } from "./schemas/disk-relocation.ts";
export * from "./schemas/cpu-limits.ts";
export * from "./schemas/host-facts.ts";
export * from "./schemas/host-load.ts";
export { mostUnlearnedMacs, type AnnouncedMacs, type UnlearnedMac } from "./schemas/unlearned-mac.ts";
export {
  nvramPath,
  nvramTemplate,
  wishedFirmware,
  type Firmware,
  type UefiFacts,
} from "./schemas/firmware.ts";
export {
  imageFileSchema,
  imagePathSchema,
  newImageSchema,
  originText,
  type ImageFile,
  type ImageOrder,
  type ImageOrigin,
  type ImageView,
  type NewImage,
} from "./schemas/image.ts";
export { imageFormatSchema, type ImageFormat, type ImagePart } from "./schemas/image-source.ts";
export { imageCopySchema, type ImageCopy } from "./schemas/image-copy.ts";
export * from "./schemas/host.ts";
export { fingerprintSchema, powerControllerSchema } from "./schemas/host-power.ts";
export type {
  HostPower,
  PowerController,
  PowerKind,
  PowerSettings,
  PowerState,
  PowerView,
} from "./schemas/host-power.ts";
export * from "./move-outcome.ts";
export * from "./schemas/kept-forecast.ts";
export * from "./schemas/lease.ts";
export type {
  CannotMove,
  MaintenanceBody,
  MaintenancePlan,
  PlannedVm,
  StartedAgain,
} from "./schemas/maintenance.ts";
export * from "./schemas/member.ts";
export { type PathFault, type PathProbe } from "./schemas/migration-path.ts";
export * from "./schemas/move.ts";
export type { MoveChecks } from "./schemas/move-checks.ts";
export { decisionText, type MoveDecision } from "./schemas/move-decision.ts";
export * from "./schemas/memory-wait.ts";
export * from "./schemas/move-cpu.ts";
export type { MovePause } from "./schemas/move-pause.ts";
export * from "./schemas/names.ts";
export * from "./schemas/network.ts";
export * from "./schemas/uplink.ts";
export * from "./schemas/vxlan.ts";
export * from "./schemas/objective.ts";
export type { PageRequest } from "./schemas/page.ts";
export { healthFindingSchema } from "./schemas/host-health.ts";
export type { HealthFinding, HealthPolicy, HealthState, HostHealth } from "./schemas/host-health.ts";
export * from "./schemas/pool.ts";
export * from "./schemas/pool-rule.ts";
export type { Automation, FrozenVm, PoolBalance, PoolRound, RoundMove } from "./schemas/pool-balance.ts";
export { keptOutputBytes, type HostCommand, type HostCommandView } from "./schemas/host-command.ts";
export { type HostUpdate, type PoolUpdateOrder, type PoolUpdatePlan } from "./schemas/pool-update.ts";
export { usualConsolidation } from "./schemas/consolidation.ts";
export type {
  ConsolidationDecision,
  ConsolidationPolicy,
  ConsolidationStep,
  ConsolidationView,
} from "./schemas/consolidation.ts";
export { usualGuestReset, type GuestResetPolicy, type GuestSigns } from "./schemas/guest-reset.ts";
export type { DeadVm, PoolRestarts } from "./schemas/pool-restart.ts";
export type { PlanGoal, PlanRequest, PoolExplanation, PoolPlan } from "./schemas/pool-plan.ts";
export * from "./schemas/task.ts";
export { vmUsageSchema, type VmUsage, type VmUsageOver } from "./schemas/vm-usage.ts";
export {
  cdromDescriptionSchema,
  cdromOf,
  mostCdroms,
  type Cdrom,
  type CdromDescription,
  type CdromMedium,
} from "./schemas/cdrom.ts";
export * from "./schemas/cloud-init.ts";
export { cpuAffinitySchema, type CpuAffinity } from "./schemas/cpu-affinity.ts";
export {
  mostSnapshots,
  snapshotTag,
  type SnapshotOrder,
  type SnapshotReference,
} from "./schemas/snapshot.ts";
export {
  readUploadMessage,
  uploadPieceBytes,
  uploadWindowBytes,
  type AgentUploadQuery,
  type UploadMessage,
} from "./schemas/upload.ts";
export { suspendedMemoryPath, type Suspension } from "./schemas/suspension.ts";
export * from "./schemas/vm.ts";
export * from "./schemas/vm-view.ts";
export { tpmFiles, tpmFolder } from "./schemas/tpm.ts";
export { hasProcess, isStateUnknown } from "./vm-state.ts";
export type { VmClone } from "./schemas/vm-clone.ts";
export { vmExportedSchema, type ExportPlace, type VmExport, type VmExported } from "./schemas/vm-export.ts";
export * from "./schemas/vm-file.ts";
export {
  vmImportDraftSchema,
  type ImportReport,
  type ImportSource,
  type VmImportDraft,
  type VmImportOrder,
} from "./schemas/vm-import.ts";
export { foreignPathSchema } from "./schemas/datastore-path.ts";
export { vmChangesSchema, type CdromChange, type MoveFix, type VmChanges } from "./schemas/vm-changes.ts";
export type { TaskConcerns, TaskDefinition } from "./tasks/define-task.ts";
export {
  moveOf,
  taskDefinitionOf,
  taskSchema,
  taskSchemas,
  type CancellableKind,
  type Task,
  type TaskFields,
  type TaskKind,
  type TaskOf,
  type TaskRequest,
  type TaskResult,
  type TaskStepKey,
} from "./tasks/registry.ts";
