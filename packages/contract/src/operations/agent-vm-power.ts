/** The VMs of a host: whether they run, and what their guests do. */
import { z } from "zod";
import { agentConsoleQuerySchema } from "../schemas/console.ts";
import { guestAddressesSchema } from "../schemas/guest-address.ts";
import { guestSignsSchema, guestWatchOrderSchema } from "../schemas/guest-reset.ts";
import { vmActivitySchema } from "../schemas/objective.ts";
import { nameSchema, taskIdSchema } from "../schemas/names.ts";
import { baselineSchema } from "../schemas/pool.ts";
import { vmSchema } from "../schemas/vm.ts";
import { vmRuntimeSchema } from "../schemas/vm-view.ts";
import { snapshotIdSchema } from "../schemas/snapshot.ts";
import { announcedMacsSchema } from "../schemas/unlearned-mac.ts";
import { vmParams } from "./agent-params.ts";
import type { Operations } from "./operation.ts";

/** `task`: whose suspension it is. Absent: of an earlier server. */
const suspensionOrder = z.strictObject({
  datastore: nameSchema,
  name: nameSchema,
  task: taskIdSchema.optional(),
});

export const agentVmPowerOperations = {
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
      /** It gets PCIe root ports where its machine can have them, since every agent knows of them; said only to agents that can do `devices`. */
      pluggable: z.literal(true).optional(),
      /** The snapshot that the VM was reverted to, whose memory its guest goes on with; absent: it boots. */
      memoryOf: snapshotIdSchema.optional(),
      /** A VM that is suspended to disk boots, and what it had in memory is lost. */
      discardMemory: z.literal(true).optional(),
    }),
    answer: { status: 200, body: z.object({ runtime: vmRuntimeSchema, vm: vmSchema }) },
    errors: [
      "VM_PAUSED",
      "SNAPSHOT_LOAD_FAILED",
      "SNAPSHOT_ALREADY_LOADED",
      "SNAPSHOT_FAILED",
      "SUSPENDED_MEMORY_UNUSABLE",
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
  vmSuspend: {
    method: "POST",
    path: "/agent/v1/vms/{vmId}/suspend",
    privilege: "server",
    summary:
      "Write the memory of a VM that runs here to its folder, end its QEMU and release its lease; one that is suspended is answered as it is",
    params: vmParams,
    body: suspensionOrder,
    answer: {
      status: 200,
      body: z.object({ vm: vmSchema, bytes: z.int().min(0), leaseKept: z.string().nullable() }),
    },
    errors: [
      ...["VM_UNKNOWN", "VM_BUSY", "VM_NOT_RUNNING", "VM_DESCRIPTION_INVALID", "SUSPEND_FAILED"],
      ...["SPACE_SHORT", "DATASTORE_UNKNOWN", "DATASTORE_UNAVAILABLE", "SUSPEND_CANCELLED"],
      "HOST_DEVICE_UNSAVABLE",
    ],
  },
  vmSuspendCancel: {
    method: "POST",
    path: "/agent/v1/vms/{vmId}/suspend/cancel",
    privilege: "server",
    summary:
      "End a task's suspension that is under way, or that an agent before this one has left: the guest runs on, and what was written of its memory is removed",
    params: vmParams,
    body: suspensionOrder,
    /** `cancelled`: the task does not suspend it any more. Otherwise it was too late. */
    answer: { status: 200, body: z.object({ cancelled: z.boolean() }) },
    errors: [
      ...["VM_UNKNOWN", "VM_BUSY", "VM_DESCRIPTION_INVALID", "SUSPEND_FAILED"],
      ...["DATASTORE_UNKNOWN", "DATASTORE_UNAVAILABLE"],
    ],
  },
  vmResume: {
    method: "POST",
    path: "/agent/v1/vms/{vmId}/resume",
    privilege: "server",
    summary:
      "Let the VM's vCPUs run, for any reason that stopped them; one that runs already is answered as it is",
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
  vmAnnounce: {
    method: "POST",
    path: "/agent/v1/vms/{vmId}/announce",
    privilege: "server",
    summary:
      "Announce the MAC addresses of a VM that runs here, six times within a second (announce-self); answered after that",
    params: vmParams,
    answer: { status: 200, body: announcedMacsSchema },
    errors: ["VM_BUSY", "VM_NOT_RUNNING", "QMP_REFUSED"],
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
} as const satisfies Operations;
