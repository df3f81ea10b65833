/** Disks of VMs, a part of the server's API. */
import { z } from "zod";
import { nameSchema } from "../schemas/names.ts";
import { taskSchemas } from "../tasks/registry.ts";
import type { Operations } from "./operation.ts";

export const vmDiskOperations = {
  vmDisksRelocate: {
    method: "POST",
    path: "/api/v1/vms/{vm}/disks/relocate",
    privilege: "admin",
    summary: "Move disks of a VM to another datastore, while it runs or at rest; its host stays the same",
    params: z.strictObject({ vm: z.string().min(1).max(63) }),
    body: z.strictObject({
      datastore: nameSchema,
      /** By name; absent: all that do not lie there. */
      disks: z.array(nameSchema).min(1).max(24).optional(),
      /** Of the copy of a running VM's disk. */
      bandwidthMbps: z.number().positive().max(1_000_000).optional(),
      /** Of the disks there; absent: as they are, and raw on a datastore of kind lun, where no other is possible. */
      format: z.enum(["qcow2", "raw"]).optional(),
    }),
    answer: { status: 202, body: taskSchemas["vm.relocateDisks"] },
    errors: [
      ...["VM_UNKNOWN", "VM_BUSY", "HOST_UNREACHABLE", "DATASTORE_UNKNOWN", "DATASTORE_WITHOUT_FOLDERS"],
      ...["DISK_UNKNOWN", "DISKS_ALREADY_THERE", "DISK_IS_LUN", "AGENT_CANNOT"],
      ...["VM_HAS_SNAPSHOTS", "DISK_HAS_SNAPSHOTS", "DISK_NOT_OWN"],
    ],
  },
} as const satisfies Operations;
