/** An agent's API, `/agent/v1`: for the server, over mutual TLS. The peer channel of a move is a WebSocket beside it. */
import { z } from "zod";
import { agentEventSchema } from "../events/agent.ts";
import { cloudInitSchema } from "../schemas/cloud-init.ts";
import { agentConsoleQuerySchema } from "../schemas/console.ts";
import { hostTrustSchema } from "../schemas/authority.ts";
import { datastoreEntriesSchema, datastoreListSchema, datastoreRefusalSchema } from "../schemas/datastore.ts";
import { diskRelocationSchema } from "../schemas/disk-relocation.ts";
import { datastorePathSchema } from "../schemas/datastore-path.ts";
import { guestAddressesSchema } from "../schemas/guest-address.ts";
import { guestSignsSchema, guestWatchOrderSchema } from "../schemas/guest-reset.ts";
import { commandIdSchema, hostCommandSchema, hostCommandViewSchema } from "../schemas/host-command.ts";
import { hostFactsSchema } from "../schemas/host-facts.ts";
import { hostLoadSchema } from "../schemas/host-load.ts";
import { leaseSchema } from "../schemas/lease.ts";
import { memberListSchema } from "../schemas/member.ts";
import {
  pathProbeSchema,
  probeListeningSchema,
  probeListenSchema,
  probeRunSchema,
} from "../schemas/migration-path.ts";
import { moveLimitsSchema, moveOrderSchema, moveRecordSchema } from "../schemas/move.ts";
import { vmActivitySchema } from "../schemas/objective.ts";
import { moveIdSchema, nameSchema, vmIdSchema, taskIdSchema } from "../schemas/names.ts";
import { networkListSchema, networkRefusalsSchema } from "../schemas/network.ts";
import { baselineSchema } from "../schemas/pool.ts";
import { disksToDeleteSchema, vmDescriptionSchema, vmRuntimeSchema, vmSchema } from "../schemas/vm.ts";
import { imageFileSchema, imageOrderSchema, imagePathSchema } from "../schemas/image.ts";
import { vmCloneSchema } from "../schemas/vm-clone.ts";
import { vmExportedSchema, vmExportSchema } from "../schemas/vm-export.ts";
import { vmImportDraftSchema, vmImportOrderSchema } from "../schemas/vm-import.ts";
import { vmFilesAnswerSchema, vmFilesQuestionSchema } from "../schemas/vm-file.ts";
import { snapshotIdSchema, snapshotOrderSchema, snapshotReferenceSchema } from "../schemas/snapshot.ts";
import { vmChangesSchema } from "../schemas/vm-changes.ts";
import { cpuWeightOperations } from "./agent-cpu-weights.ts";
import type { Operations } from "./operation.ts";
import { importErrorCodes } from "./vm-imports.ts";

const vmParams = z.strictObject({ vmId: vmIdSchema });
const leaseParams = z.strictObject({ vmId: vmIdSchema, datastore: nameSchema, name: nameSchema });
const commandParams = z.strictObject({ commandId: commandIdSchema });
const moveParams = z.strictObject({ moveId: moveIdSchema });

const goDown = {
  method: "POST",
  privilege: "server",
  /** Of the boot that is to end. */
  body: z.strictObject({ bootId: z.string().min(1).max(64) }),
  answer: { status: 200, body: z.object({ bootId: z.string() }) },
  errors: ["HOST_COMMANDS_OFF", "HOST_COMMAND_VMS_RUN"],
} as const;

const imageErrorCodes = [
  ...["LIBRARY_IMAGE_REFUSED", "LIBRARY_IMAGE_CHECKSUM", "IMAGE_DOWNLOAD_FAILED"],
  ...["IMAGE_DOWNLOAD_FORBIDDEN", "IMAGE_ADD_CANCELLED"],
] as const;

const snapshotErrorCodes = [
  ...["VM_UNKNOWN", "VM_BUSY", "VM_DESCRIPTION_INVALID", "VM_HELD_ELSEWHERE", "LEASE_HELD"],
  ...["LEASE_UNAVAILABLE", "SPACE_SHORT", "DATASTORE_UNKNOWN", "DATASTORE_UNAVAILABLE"],
] as const;

/** WebSocket of a move between two agents: `wss://…/peer/v1/moves/{moveId}`. */
export const peerPath = (moveId: string): string => `/peer/v1/moves/${moveId}`;

export const agentOperations = {
  ...cpuWeightOperations,
  facts: {
    method: "GET",
    path: "/agent/v1/facts",
    privilege: "server",
    summary: "What the host is, read now",
    answer: { status: 200, body: hostFactsSchema },
    errors: [],
  },
  load: {
    method: "GET",
    path: "/agent/v1/load",
    privilege: "server",
    summary: "What the host does now: what is used and free, which VMs have a process",
    answer: { status: 200, body: hostLoadSchema },
    errors: [],
  },
  events: {
    method: "GET",
    path: "/agent/v1/events",
    privilege: "server",
    summary: "Events as they happen; Last-Event-ID (or ?after=) resumes",
    query: z.strictObject({ after: z.coerce.number().int().min(0).optional() }),
    answer: { status: 200, events: agentEventSchema },
    errors: [],
  },
  membersPut: {
    method: "PUT",
    path: "/agent/v1/members",
    privilege: "server",
    summary:
      "Which hosts belong to the cluster; a list that is not newer than the agent's own changes nothing",
    body: memberListSchema,
    /** Of the list that the agent has now. */
    answer: { status: 200, body: z.object({ generation: z.int() }) },
    errors: [],
  },
  datastoresPut: {
    method: "PUT",
    path: "/agent/v1/datastores",
    privilege: "server",
    summary:
      "All datastores that the inventory defines for this host; those that it does not name are given up",
    body: datastoreListSchema,
    /** What was left as it was, and why. */
    answer: { status: 200, body: z.object({ refused: z.array(datastoreRefusalSchema) }) },
    errors: [],
  },
  networksPut: {
    method: "PUT",
    path: "/agent/v1/networks",
    privilege: "server",
    summary:
      "All switches and port groups that the inventory defines for this host; those that it does not name are given up",
    body: networkListSchema,
    /** What was left as it was, and why. */
    answer: { status: 200, body: z.object({ refused: networkRefusalsSchema }) },
    errors: [],
  },
  datastoreBrowse: {
    method: "GET",
    path: "/agent/v1/datastores/{datastore}/files",
    privilege: "server",
    summary: "What lies in a folder of a datastore",
    params: z.strictObject({ datastore: nameSchema }),
    query: z.strictObject({ path: datastorePathSchema.optional() }),
    answer: { status: 200, body: datastoreEntriesSchema },
    errors: ["DATASTORE_UNKNOWN", "DATASTORE_UNAVAILABLE", "DATASTORE_FOLDER_MISSING"],
  },
  datastoreInit: {
    method: "POST",
    path: "/agent/v1/datastores/{datastore}/init",
    privilege: "server",
    summary: "Mark new storage as a datastore; one that is marked stays as it is",
    params: z.strictObject({ datastore: nameSchema }),
    body: z.strictObject({ onRoot: z.boolean() }),
    answer: { status: 200, body: z.object({ isNew: z.boolean() }) },
    errors: ["DATASTORE_UNKNOWN", "DATASTORE_UNAVAILABLE", "DATASTORE_ON_ROOT"],
  },
  imageAdd: {
    method: "POST",
    path: "/agent/v1/images",
    privilege: "server",
    summary:
      "Fetch an image into the library on a datastore; asking again with the same id while it goes on, or after it, answers the same",
    body: imageOrderSchema,
    answer: { status: 200, body: imageFileSchema },
    errors: [...imageErrorCodes, "SPACE_SHORT", "DATASTORE_UNKNOWN", "DATASTORE_UNAVAILABLE"],
  },
  imageAddCancel: {
    method: "POST",
    path: "/agent/v1/images/{id}/cancel",
    privilege: "server",
    summary: "End the fetching of an image; one that is not fetched now is passed over",
    params: z.strictObject({ id: taskIdSchema }),
    answer: { status: 204 },
    errors: [],
  },
  imageDelete: {
    method: "DELETE",
    path: "/agent/v1/images",
    privilege: "server",
    summary: "Delete a file of the library; one that is not there is passed over",
    query: z.strictObject({ datastore: nameSchema, path: imagePathSchema }),
    answer: { status: 204 },
    errors: ["DATASTORE_UNKNOWN", "DATASTORE_UNAVAILABLE"],
  },
  commandStart: {
    method: "PUT",
    path: "/agent/v1/commands/{commandId}",
    privilege: "server",
    summary: "Run a command as root; asking again with the same id answers how it is",
    params: commandParams,
    body: hostCommandSchema,
    answer: { status: 200, body: hostCommandViewSchema },
    errors: ["HOST_COMMANDS_OFF", "HOST_COMMAND_VMS_RUN"],
  },
  commandShow: {
    method: "GET",
    path: "/agent/v1/commands/{commandId}",
    privilege: "server",
    summary: "How a command is",
    params: commandParams,
    answer: { status: 200, body: hostCommandViewSchema },
    errors: ["HOST_COMMAND_UNKNOWN"],
  },
  hostReboot: {
    ...goDown,
    path: "/agent/v1/reboot",
    summary: "Boot the host again; one that was booted since then is left as it is",
  },
  hostPowerOff: {
    ...goDown,
    path: "/agent/v1/power-off",
    summary: "Shut the host down; one that was booted since then is left as it is",
  },
  certificatesShow: {
    method: "GET",
    path: "/agent/v1/certificates",
    privilege: "server",
    summary: "Which authorities the host trusts, and which one its certificate is of",
    answer: { status: 200, body: hostTrustSchema },
    errors: [],
  },
  certificatesRenew: {
    method: "POST",
    path: "/agent/v1/certificates/renew",
    privilege: "server",
    summary: "Renew the host's certificates now, and trust what the server trusts",
    answer: { status: 200, body: hostTrustSchema },
    errors: [],
  },
  vmCreate: {
    method: "POST",
    path: "/agent/v1/vms",
    privilege: "server",
    summary: "Create a VM's folder and disks; asking again with the same id answers the same VM",
    /** `cloudInit` null: the server has lost it, and only a VM that is there, or being made, is answered. */
    body: z.strictObject({
      id: vmIdSchema,
      description: vmDescriptionSchema,
      cloudInit: cloudInitSchema.nullable().optional(),
    }),
    answer: { status: 201, body: vmSchema },
    errors: [
      "VM_EXISTS",
      "SEED_EXISTS",
      "SEED_LOST",
      "DATASTORE_UNKNOWN",
      "DATASTORE_UNAVAILABLE",
      "NETWORK_UNKNOWN",
      "NETWORK_WITHOUT_BRIDGE",
      "DISK_EXISTS",
      "DISK_MISSING",
      "DISK_IN_USE",
      "DISK_OF_OTHER_VM",
      "DISK_NOT_OWN",
      "IMAGE_REFERS_ELSEWHERE",
      "IMAGE_FORMAT_DIFFERS",
      "IMAGE_UNREADABLE",
      "IMAGE_LARGER",
      "UEFI_FIRMWARE_MISSING",
      "NVRAM_UNUSABLE",
      "TPM_STATE_UNUSABLE",
      "IMAGE_IS_SNAPSHOT",
      "IMAGE_CHECKSUM_DIFFERS",
      "DISK_PERMISSION_DENIED",
      "SPACE_SHORT",
    ],
  },
  vmImportRead: {
    method: "POST",
    path: "/agent/v1/vm-imports",
    privilege: "server",
    summary: "Read a VM that another product has described from a datastore, and say what would become of it",
    body: vmImportOrderSchema,
    answer: { status: 200, body: vmImportDraftSchema },
    errors: importErrorCodes,
  },
  vmRead: {
    method: "GET",
    path: "/agent/v1/datastores/{datastore}/vms/{name}",
    privilege: "server",
    summary: "Read a VM's folder from a datastore",
    params: z.strictObject({ datastore: nameSchema, name: nameSchema }),
    answer: { status: 200, body: vmSchema },
    errors: ["VM_UNKNOWN", "DATASTORE_UNKNOWN", "VM_DESCRIPTION_INVALID"],
  },
  vmFolderList: {
    method: "GET",
    path: "/agent/v1/vms/folders",
    privilege: "server",
    summary: "Read the folders of all VMs on the host's datastores",
    answer: {
      status: 200,
      body: z.object({
        vms: z.array(vmSchema),
        /** `name` is empty for a datastore that cannot be used. */
        unreadable: z.array(z.object({ datastore: nameSchema, name: z.string(), reason: z.string() })),
        /** Datastores that other hosts see too. */
        shared: z.array(nameSchema),
      }),
    },
    errors: [],
  },
  vmFilesLook: {
    method: "POST",
    path: "/agent/v1/vm-files",
    privilege: "server",
    summary: "Whether the vm.json of each of these VMs is one; what could not be read is told as unread",
    body: vmFilesQuestionSchema,
    answer: { status: 200, body: vmFilesAnswerSchema },
    errors: [],
  },
  vmConfigure: {
    method: "PATCH",
    path: "/agent/v1/vms/{vmId}",
    privilege: "server",
    summary:
      "Change a VM's description in its folder and, where it runs here, the VM; asking again changes nothing",
    params: vmParams,
    body: z.strictObject({ datastore: nameSchema, name: nameSchema, changes: vmChangesSchema }),
    answer: { status: 200, body: vmSchema },
    errors: [
      ...["VM_UNKNOWN", "VM_BUSY", "DATASTORE_UNKNOWN", "VM_DESCRIPTION_INVALID", "SPACE_SHORT"],
      ...["CDROM_UNKNOWN", "CDROM_EMPTY", "CDROM_MEDIUM_MISSING", "CDROM_MEDIUM_UNUSABLE"],
      ...["VM_RUNNING", "TPM_UNAVAILABLE", "TPM_STATE_UNUSABLE"],
      ...["CPU_AFFINITY_UNAVAILABLE", "QMP_REFUSED", "VM_HELD_ELSEWHERE", "LEASE_HELD", "LEASE_UNAVAILABLE"],
    ],
  },
  vmClone: {
    method: "POST",
    path: "/agent/v1/vms/{vmId}/clone",
    privilege: "server",
    summary: "Copy a VM that does not run; asking again with the same id of the copy answers the same VM",
    params: vmParams,
    body: vmCloneSchema,
    /** The copy. */
    answer: { status: 201, body: vmSchema },
    errors: [
      ...["VM_UNKNOWN", "VM_RUNNING", "VM_BUSY", "VM_EXISTS", "VM_DESCRIPTION_INVALID", "DISK_IS_LUN"],
      ...["VM_HELD_ELSEWHERE", "LEASE_HELD", "LEASE_UNAVAILABLE", "DISK_EXISTS", "DISK_MISSING"],
      ...["DISK_FOLDER_TAKEN", "DISK_IN_USE", "SPACE_SHORT", "DATASTORE_UNKNOWN", "DATASTORE_UNAVAILABLE"],
    ],
  },
  vmExport: {
    method: "POST",
    path: "/agent/v1/vms/{vmId}/export",
    privilege: "server",
    summary:
      "Write a VM that does not run as an OVA; asking again with the same id while it goes on, or after it, answers the same",
    params: vmParams,
    body: vmExportSchema,
    answer: { status: 200, body: vmExportedSchema },
    errors: [
      ...["VM_UNKNOWN", "VM_RUNNING", "VM_BUSY", "VM_DESCRIPTION_INVALID", "VM_HELD_ELSEWHERE", "LEASE_HELD"],
      ...["LEASE_UNAVAILABLE", "DISK_MISSING", "DISK_NOT_OWN", "EXPORT_PLACE_UNUSABLE", "EXPORT_FAILED"],
      ...["SPACE_SHORT", "DATASTORE_UNKNOWN", "DATASTORE_UNAVAILABLE"],
    ],
  },
  vmDisksRelocate: {
    method: "POST",
    path: "/agent/v1/vms/{vmId}/disks/relocate",
    privilege: "server",
    summary:
      "Move a VM's disks to another datastore, at rest or while it runs here; asking again while it goes on, or after it, answers the same",
    params: vmParams,
    body: diskRelocationSchema,
    /** The VM with its disks there. */
    answer: { status: 200, body: vmSchema },
    errors: [
      ...["VM_UNKNOWN", "VM_BUSY", "VM_DESCRIPTION_INVALID", "VM_HELD_ELSEWHERE", "LEASE_HELD"],
      ...["LEASE_UNAVAILABLE", "DISK_UNKNOWN", "DISK_EXISTS", "DISK_FOLDER_TAKEN", "DISK_NOT_OWN"],
      ...["DISK_RELOCATION_FAILED", "DISK_RELOCATION_CANCELLED", "SPACE_SHORT", "DISK_IS_LUN"],
      "VM_HAS_SNAPSHOTS",
      ...["DATASTORE_UNKNOWN", "DATASTORE_UNAVAILABLE", "DATASTORE_WITHOUT_FOLDERS"],
    ],
  },
  vmDisksSettle: {
    method: "POST",
    path: "/agent/v1/vms/{vmId}/disks/settle",
    privilege: "server",
    summary:
      "Cancel the move of a VM's disks that goes on here, if one does; a disk that the VM uses at its new place stays there",
    params: vmParams,
    body: z.strictObject({ datastore: nameSchema, name: nameSchema }),
    /** The VM as it is after that. */
    answer: { status: 200, body: vmSchema },
    errors: ["VM_UNKNOWN", "DATASTORE_UNKNOWN", "DATASTORE_UNAVAILABLE", "VM_DESCRIPTION_INVALID"],
  },
  vmSnapshotCreate: {
    method: "POST",
    path: "/agent/v1/vms/{vmId}/snapshots",
    privilege: "server",
    summary:
      "Create a snapshot of a VM, at rest or while it runs here; asking again with the same id answers the same",
    params: vmParams,
    body: snapshotOrderSchema,
    /** The VM with it. */
    answer: { status: 200, body: vmSchema },
    errors: [
      ...["SNAPSHOT_EXISTS", "SNAPSHOTS_TOO_MANY", "SNAPSHOT_DISK_UNSUITABLE", "SNAPSHOT_MEMORY_STOPPED"],
      ...["SNAPSHOT_FAILED", "SNAPSHOT_UNFINISHED", ...snapshotErrorCodes],
    ],
  },
  vmSnapshotDelete: {
    method: "POST",
    path: "/agent/v1/vms/{vmId}/snapshots/delete",
    privilege: "server",
    summary: "Delete a snapshot of a VM, at rest or while it runs here; one that is not there is deleted",
    params: vmParams,
    body: snapshotReferenceSchema,
    /** The VM without it. */
    answer: { status: 200, body: vmSchema },
    errors: ["SNAPSHOT_FAILED", ...snapshotErrorCodes],
  },
  vmSnapshotRevert: {
    method: "POST",
    path: "/agent/v1/vms/{vmId}/snapshots/revert",
    privilege: "server",
    summary: "Make the disks and the description of a VM that does not run those of a snapshot",
    params: vmParams,
    /** `withMemory`: it is to be started with its memory; refused before anything is changed where that cannot be. */
    body: snapshotReferenceSchema.extend({ withMemory: z.boolean() }),
    /** The VM as it then is. */
    answer: { status: 200, body: vmSchema },
    errors: [
      ...[
        "VM_RUNNING",
        "SNAPSHOT_UNKNOWN",
        "SNAPSHOT_UNFINISHED",
        "SNAPSHOT_DISKS_DIFFER",
        "SNAPSHOT_BROKEN",
      ],
      ...["SNAPSHOT_MEMORY_UNUSABLE", "SNAPSHOT_FAILED", ...snapshotErrorCodes],
    ],
  },
  vmStart: {
    method: "POST",
    path: "/agent/v1/vms/{vmId}/start",
    privilege: "server",
    summary:
      "Take the VM's lease, decide its CPU and start it; a VM that runs here already is answered as it is",
    params: vmParams,
    /**
     * `baseline`: of the pool that this host is in. `ownUser`: QEMU may run as a user of the VM's own, since no agent is
     * known that would not know such a one; said only to agents that report `containment`.
     */
    body: z.strictObject({
      vm: vmSchema,
      baseline: baselineSchema.nullable(),
      ownUser: z.literal(true).optional(),
      /** The snapshot that the VM was reverted to, whose memory its guest goes on with; absent: it boots. */
      memoryOf: snapshotIdSchema.optional(),
    }),
    answer: { status: 200, body: z.object({ runtime: vmRuntimeSchema, vm: vmSchema }) },
    errors: [
      "VM_PAUSED",
      "SNAPSHOT_LOAD_FAILED",
      "SNAPSHOT_ALREADY_LOADED",
      "SNAPSHOT_FAILED",
      "HOST_COMMAND_RUNS",
      "DESTINATION_MEMORY_SHORT",
      "LEASE_HELD",
      "LEASE_UNAVAILABLE",
      "VM_START_FAILED",
      "VM_CPU_REFUSED",
      "VM_DESCRIPTION_INVALID",
      "DISK_MISSING",
      "DISK_NOT_OWN",
      "IMAGE_REFERS_ELSEWHERE",
      "IMAGE_FORMAT_DIFFERS",
      "IMAGE_UNREADABLE",
      "DISK_PERMISSION_DENIED",
      "UEFI_FIRMWARE_MISSING",
      "NVRAM_UNUSABLE",
      "TPM_UNAVAILABLE",
      "TPM_STATE_UNUSABLE",
      "NETWORK_UNKNOWN",
      "NETWORK_FILTER_MISSING",
      "NETWORK_WITHOUT_BRIDGE",
      "DATASTORE_UNKNOWN",
    ],
  },
  vmStop: {
    method: "POST",
    path: "/agent/v1/vms/{vmId}/stop",
    privilege: "server",
    summary: "Power the VM off and release its lease; a VM that does not run here is answered as stopped",
    params: vmParams,
    body: z.strictObject({ graceSeconds: z.int().min(0).max(3600) }),
    answer: {
      status: 200,
      // Absent: an agent that does not tell.
      body: z.object({ stopped: z.literal(true), leaseKept: z.string().nullable().default(null) }),
    },
    errors: ["VM_BUSY"],
  },
  vmPause: {
    method: "POST",
    path: "/agent/v1/vms/{vmId}/pause",
    privilege: "server",
    summary: "Stop the VM's vCPUs; one that stands still already is answered as it is",
    params: vmParams,
    answer: { status: 200, body: vmRuntimeSchema },
    errors: ["VM_BUSY", "VM_NOT_RUNNING"],
  },
  vmResume: {
    method: "POST",
    path: "/agent/v1/vms/{vmId}/resume",
    privilege: "server",
    summary: "Let the VM's vCPUs run, whatever stopped them; one that runs already is answered as it is",
    params: vmParams,
    answer: { status: 200, body: vmRuntimeSchema },
    errors: ["VM_BUSY", "VM_NOT_RUNNING", "LEASE_HELD", "LEASE_UNAVAILABLE", "QMP_REFUSED"],
  },
  vmReset: {
    method: "POST",
    path: "/agent/v1/vms/{vmId}/reset",
    privilege: "server",
    summary: "Reset a VM that runs; asked again with the same id it is not reset again",
    params: vmParams,
    body: z.strictObject({
      id: taskIdSchema,
      /** It hangs as far as is known: it is not reset when its guest agent answers now. */
      unlessItAnswers: z.boolean(),
    }),
    answer: { status: 200, body: vmRuntimeSchema },
    errors: ["VM_BUSY", "VM_NOT_RUNNING", "VM_GUEST_ANSWERS"],
  },
  guestsWatch: {
    method: "POST",
    path: "/agent/v1/guests/watch",
    privilege: "server",
    summary: "Watch for a minute whether these guests hang, and tell what has been seen of them",
    body: guestWatchOrderSchema,
    answer: { status: 200, body: z.object({ guests: z.array(guestSignsSchema).max(10_000) }) },
    errors: [],
  },
  vmActivity: {
    method: "GET",
    path: "/agent/v1/vms/{vmId}/activity",
    privilege: "server",
    summary: "Measure for some seconds how much memory the VM changes",
    params: vmParams,
    answer: { status: 200, body: vmActivitySchema },
    errors: ["VM_NOT_RUNNING", "QMP_REFUSED"],
  },
  vmAddresses: {
    method: "GET",
    path: "/agent/v1/vms/{vmId}/addresses",
    privilege: "server",
    summary: "The guest's IP addresses now",
    params: vmParams,
    answer: { status: 200, body: guestAddressesSchema },
    errors: ["VM_NOT_RUNNING"],
  },
  vmConsole: {
    method: "GET",
    path: "/agent/v1/vms/{vmId}/console",
    privilege: "server",
    summary: "A WebSocket to the VM's serial console; whoever comes last may write",
    params: vmParams,
    query: agentConsoleQuerySchema,
    answer: { status: 101, socket: true },
    errors: ["VM_NOT_RUNNING"],
  },
  vmDelete: {
    method: "DELETE",
    path: "/agent/v1/datastores/{datastore}/vms/{name}",
    privilege: "server",
    summary: "Delete a VM's folder with its disks",
    params: z.strictObject({ datastore: nameSchema, name: nameSchema }),
    query: z.strictObject({ disks: disksToDeleteSchema.default("made") }),
    answer: { status: 204 },
    errors: ["VM_RUNNING", "DATASTORE_UNKNOWN", "VM_DESCRIPTION_INVALID"],
  },
  vmLeaseShow: {
    method: "GET",
    path: "/agent/v1/datastores/{datastore}/vms/{name}/lease/{vmId}",
    privilege: "server",
    summary: "A VM's lease as it stands on its shared datastore",
    params: leaseParams,
    answer: { status: 200, body: leaseSchema },
    errors: ["DATASTORE_UNKNOWN", "DATASTORE_UNAVAILABLE", "SANLOCK_UNAVAILABLE"],
  },
  vmLeaseBreak: {
    method: "POST",
    path: "/agent/v1/datastores/{datastore}/vms/{name}/lease/{vmId}/break",
    privilege: "server",
    summary:
      "Put a new lease in the place of one whose holders are silent; the caller vouches that they are off",
    params: leaseParams,
    body: z.strictObject({ host: nameSchema }),
    answer: { status: 200, body: leaseSchema },
    errors: [
      "LEASE_HOLDER_ALIVE",
      "LEASE_HELD",
      "DATASTORE_UNKNOWN",
      "DATASTORE_UNAVAILABLE",
      "SANLOCK_UNAVAILABLE",
    ],
  },
  probeListen: {
    method: "POST",
    path: "/agent/v1/migration-probes",
    privilege: "server",
    summary: "Listen for one try of the way of a migration stream to this host, for some seconds",
    body: probeListenSchema,
    answer: { status: 201, body: probeListeningSchema },
    errors: ["MIGRATION_NETWORK_MISSING", "MIGRATION_ADDRESS_ABSENT", "MIGRATION_PORTS_TAKEN"],
  },
  probeRun: {
    method: "POST",
    path: "/agent/v1/migration-probes/run",
    privilege: "server",
    summary: "Try the way of a migration stream from this host to one that listens for it",
    body: probeRunSchema,
    answer: { status: 200, body: pathProbeSchema },
    errors: ["MIGRATION_NETWORK_MISSING"],
  },
  moveStart: {
    method: "POST",
    path: "/agent/v1/moves",
    privilege: "server",
    summary: "Move a VM away from this host; asking again with the same id answers the same move",
    body: moveOrderSchema,
    answer: { status: 202, body: moveRecordSchema },
    errors: ["VM_UNKNOWN", "VM_NOT_RUNNING", "VM_BUSY"],
  },
  moveShow: {
    method: "GET",
    path: "/agent/v1/moves/{moveId}",
    privilege: "server",
    summary: "A move that this host is or was the source or destination of",
    params: moveParams,
    answer: { status: 200, body: moveRecordSchema },
    errors: ["MOVE_UNKNOWN"],
  },
  moveSet: {
    method: "POST",
    path: "/agent/v1/moves/{moveId}/limits",
    privilege: "server",
    summary:
      "Give a move away from this host other limits while it goes on; the same ones again change nothing",
    params: moveParams,
    body: z.strictObject({ limits: moveLimitsSchema, because: z.enum(["asked", "shared"]) }),
    answer: { status: 202, body: moveRecordSchema },
    errors: ["MOVE_UNKNOWN", "TASK_NOT_CHANGEABLE"],
  },
  moveCancel: {
    method: "POST",
    path: "/agent/v1/moves/{moveId}/cancel",
    privilege: "server",
    summary: "Cancel a move; until the switch is committed the VM stays here",
    params: moveParams,
    answer: { status: 202, body: moveRecordSchema },
    errors: ["MOVE_UNKNOWN", "TASK_NOT_CANCELLABLE"],
  },
} as const satisfies Operations;
