/** What a host does with disks of its VMs: moves to other datastores, and snapshots. */
import { z } from "zod";
import { deviceOrderSchema } from "../schemas/device-changes.ts";
import { diskRelocationSchema } from "../schemas/disk-relocation.ts";
import { nameSchema } from "../schemas/names.ts";
import { sizedDiskSchema, vmSchema } from "../schemas/vm.ts";
import { snapshotOrderSchema, snapshotReferenceSchema } from "../schemas/snapshot.ts";
import { vmParams } from "./agent-params.ts";
import type { Operations } from "./operation.ts";

const snapshotErrorCodes = [
  ...["VM_UNKNOWN", "VM_BUSY", "VM_DESCRIPTION_INVALID", "VM_HELD_ELSEWHERE", "LEASE_HELD"],
  ...["VM_SUSPENDED", "LEASE_UNAVAILABLE", "SPACE_SHORT", "DATASTORE_UNKNOWN", "DATASTORE_UNAVAILABLE"],
] as const;

export const agentVmDiskOperations = {
  vmDeviceChange: {
    method: "POST",
    path: "/agent/v1/vms/{vmId}/devices",
    privilege: "server",
    summary:
      "Add, remove or change a disk or a NIC of a VM, at rest or while it runs here; asking again while it goes on, or after it, answers the same",
    params: vmParams,
    body: deviceOrderSchema,
    /** The VM after that. */
    answer: { status: 200, body: vmSchema },
    errors: [
      ...snapshotErrorCodes,
      ...["DISK_EXISTS", "DISK_MISSING", "DISK_NOT_OWN", "DISK_IN_USE", "DISK_FOLDER_TAKEN"],
      ...["DISK_PERMISSION_DENIED", "DISK_NOT_LARGER", "DISK_UNKNOWN", "DISK_HAS_SNAPSHOTS"],
      ...["IMAGE_REFERS_ELSEWHERE", "IMAGE_FORMAT_DIFFERS", "IMAGE_UNREADABLE", "IMAGE_LARGER"],
      ...[
        "DEVICE_HAS_NO_PLACE",
        "DEVICE_NOT_REMOVABLE",
        "DEVICE_KEPT_BY_GUEST",
        "DEVICE_PLUG_FAILED",
        "DISK_ADD_CANCELLED",
      ],
      ...["NIC_UNKNOWN", "NETWORK_UNKNOWN", "NETWORK_WITHOUT_BRIDGE", "NETWORK_FILTER_MISSING"],
    ],
  },
  vmDeviceCancel: {
    method: "POST",
    path: "/agent/v1/vms/{vmId}/devices/cancel",
    privilege: "server",
    summary:
      "End the copy of an image for this new disk of a VM, and remove what is left of it; a disk that the VM has by then stays",
    params: vmParams,
    body: deviceOrderSchema,
    /** The VM as it is after that. */
    answer: { status: 200, body: vmSchema },
    errors: [...snapshotErrorCodes],
  },
  vmDisksShow: {
    method: "GET",
    path: "/agent/v1/datastores/{datastore}/vms/{name}/disks",
    privilege: "server",
    summary: "A VM's disks with their sizes, as its QEMU has them or as they lie there",
    params: z.strictObject({ datastore: nameSchema, name: nameSchema }),
    answer: { status: 200, body: z.object({ disks: z.array(sizedDiskSchema).max(24) }) },
    errors: ["VM_UNKNOWN", "DATASTORE_UNKNOWN", "DATASTORE_UNAVAILABLE", "VM_DESCRIPTION_INVALID"],
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
      ...["VM_HAS_SNAPSHOTS", "VM_SUSPENDED", "DISK_HAS_SNAPSHOTS", "DISK_MISSING", "DISK_IN_USE"],
      ...["LUN_METADATA_LOCKED", "LEASE_NOT_HELD", "IMAGE_UNREADABLE", "DISK_PERMISSION_DENIED"],
      ...["IMAGE_FORMAT_DIFFERS", "IMAGE_REFERS_ELSEWHERE"],
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
      "HOST_DEVICE_UNSAVABLE",
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
} as const satisfies Operations;
