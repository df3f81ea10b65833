/** Snapshots of VMs, a part of the server's API. */
import { z } from "zod";
import { nameSchema } from "../schemas/names.ts";
import { snapshotNoteSchema } from "../schemas/snapshot.ts";
import { snapshotListSchema } from "../schemas/vm.ts";
import { taskSchemas } from "../tasks/registry.ts";
import type { Operations } from "./operation.ts";

const vmParams = z.strictObject({ vm: z.string().min(1).max(63) });
const snapshotParams = vmParams.extend({ snapshot: z.string().min(1).max(63) });
const refusals = ["VM_UNKNOWN", "VM_BUSY", "HOST_UNREACHABLE", "AGENT_CANNOT"] as const;

export const vmSnapshotOperations = {
  vmSnapshotList: {
    method: "GET",
    path: "/api/v1/vms/{vm}/snapshots",
    privilege: "admin",
    summary: "A VM's snapshots, and which one it is at",
    params: vmParams,
    answer: { status: 200, body: snapshotListSchema },
    errors: ["VM_UNKNOWN"],
  },
  vmSnapshotCreate: {
    method: "POST",
    path: "/api/v1/vms/{vm}/snapshots",
    privilege: "admin",
    summary:
      "Create a snapshot of all of a VM's disks at one point in time and, where it runs, of its memory",
    params: vmParams,
    body: z.strictObject({
      name: nameSchema,
      note: snapshotNoteSchema.optional(),
      /** Of its memory, too; the guest stands still while that is written. */
      memory: z.boolean().optional(),
    }),
    answer: { status: 202, body: taskSchemas["vm.createSnapshot"] },
    errors: [
      ...refusals,
      ...["SNAPSHOT_EXISTS", "SNAPSHOTS_TOO_MANY", "SNAPSHOT_DISK_UNSUITABLE", "SNAPSHOT_MEMORY_STOPPED"],
    ],
  },
  vmSnapshotRevert: {
    method: "POST",
    path: "/api/v1/vms/{vm}/snapshots/{snapshot}/revert",
    privilege: "admin",
    summary: "Make a VM what it was; what it is now is lost unless it has a snapshot of it",
    params: snapshotParams,
    body: z.strictObject({
      /** Also of a snapshot with memory: the VM is stopped afterwards. */
      disksOnly: z.boolean().optional(),
    }),
    answer: { status: 202, body: taskSchemas["vm.revertToSnapshot"] },
    errors: [
      ...refusals,
      ...["SNAPSHOT_UNKNOWN", "SNAPSHOT_UNFINISHED", "SNAPSHOT_DISKS_DIFFER", "SNAPSHOT_MEMORY_UNUSABLE"],
      "MAC_IN_USE",
    ],
  },
  vmSnapshotDelete: {
    method: "DELETE",
    path: "/api/v1/vms/{vm}/snapshots/{snapshot}",
    privilege: "admin",
    summary: "Delete a snapshot of a VM; what the VM is now, and its other snapshots, stay",
    params: snapshotParams,
    answer: { status: 202, body: taskSchemas["vm.deleteSnapshot"] },
    errors: [...refusals, "SNAPSHOT_UNKNOWN"],
  },
} as const satisfies Operations;
