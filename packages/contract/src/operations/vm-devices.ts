/** Disks and NICs of VMs, a part of the server's API: added, removed and changed, at rest or while the VM runs. */
import { z } from "zod";
import { nicModelSchema } from "../schemas/device-models.ts";
import { nameSchema } from "../schemas/names.ts";
import { macSchema, newDiskSchema, nicAddressesSchema, sizedDiskSchema } from "../schemas/vm.ts";
import { taskSchemas } from "../tasks/registry.ts";
import type { Operations } from "./operation.ts";

const vmParams = z.strictObject({ vm: z.string().min(1).max(63) });
const diskParams = vmParams.extend({ disk: nameSchema });
/** By its number or its MAC address. */
const nicParams = vmParams.extend({ nic: z.string().min(1).max(17) });
const answer = { status: 202, body: taskSchemas["vm.changeDevice"] } as const;
const refusals = ["VM_UNKNOWN", "VM_BUSY", "HOST_UNREACHABLE", "AGENT_CANNOT"] as const;

export const vmDeviceOperations = {
  vmDiskList: {
    method: "GET",
    path: "/api/v1/vms/{vm}/disks",
    privilege: "admin",
    summary:
      "A VM's disks with their sizes, asked of its host now; of a host that does not respond they have none",
    params: vmParams,
    answer: {
      status: 200,
      body: z.object({
        disks: z.array(sizedDiskSchema),
        /** As its host has them; false: as they were known last. */
        current: z.boolean(),
      }),
    },
    errors: ["VM_UNKNOWN"],
  },
  vmDiskAdd: {
    method: "POST",
    path: "/api/v1/vms/{vm}/disks",
    privilege: "admin",
    summary: "Add a disk to a VM, at rest or while it runs; without a name it gets one",
    params: vmParams,
    body: newDiskSchema,
    answer,
    errors: [
      ...refusals,
      ...["DISK_NAME_TAKEN", "DEVICES_TOO_MANY", "DATASTORE_UNKNOWN", "VM_DESCRIPTION_INVALID"],
    ],
  },
  vmDiskResize: {
    method: "PATCH",
    path: "/api/v1/vms/{vm}/disks/{disk}",
    privilege: "admin",
    summary: "Grow a disk of a VM, at rest or while it runs",
    params: diskParams,
    body: z.strictObject({ sizeMib: z.int().min(1).max(67_108_864) }),
    answer,
    errors: [...refusals, "DISK_UNKNOWN", "DISK_SIZE_FIXED", "DISK_HAS_SNAPSHOTS"],
  },
  vmDiskRemove: {
    method: "DELETE",
    path: "/api/v1/vms/{vm}/disks/{disk}",
    privilege: "admin",
    summary:
      "Remove a disk from a VM, at rest or while it runs, with its image where Godwit made that; other images are kept",
    params: diskParams,
    query: z.strictObject({ keepFile: z.stringbool().default(false) }),
    answer,
    errors: [...refusals, "DISK_UNKNOWN", "DISK_HAS_SNAPSHOTS"],
  },
  vmNicAdd: {
    method: "POST",
    path: "/api/v1/vms/{vm}/nics",
    privilege: "admin",
    summary: "Add a NIC to a VM, at rest or while it runs; without a MAC address it gets one",
    params: vmParams,
    body: z.strictObject({
      portGroup: nameSchema,
      mac: macSchema.optional(),
      addresses: nicAddressesSchema,
      model: nicModelSchema.optional(),
    }),
    answer,
    errors: [...refusals, "DEVICES_TOO_MANY", "MAC_IN_USE", "NETWORK_UNKNOWN"],
  },
  vmNicSet: {
    method: "PATCH",
    path: "/api/v1/vms/{vm}/nics/{nic}",
    privilege: "admin",
    summary:
      "Set the link of a VM's NIC up or down, or connect it to another port group, at rest or while it runs",
    params: nicParams,
    body: z
      .strictObject({ portGroup: nameSchema.optional(), connected: z.boolean().optional() })
      .refine((nic) => nic.portGroup !== undefined || nic.connected !== undefined, "changes nothing"),
    answer,
    errors: [...refusals, "NIC_UNKNOWN", "MAC_IN_USE", "NETWORK_UNKNOWN"],
  },
  vmNicRemove: {
    method: "DELETE",
    path: "/api/v1/vms/{vm}/nics/{nic}",
    privilege: "admin",
    summary: "Remove a NIC from a VM, at rest or while it runs",
    params: nicParams,
    answer,
    errors: [...refusals, "NIC_UNKNOWN"],
  },
} as const satisfies Operations;
