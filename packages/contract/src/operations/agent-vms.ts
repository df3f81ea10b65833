/** The VMs of a host: what they are. */
import { z } from "zod";
import { cloudInitSchema } from "../schemas/cloud-init.ts";
import { countSchema, mostOfHost } from "../schemas/host-facts.ts";
import { leaseSchema } from "../schemas/lease.ts";
import { nameSchema, vmIdSchema } from "../schemas/names.ts";
import { disksToDeleteSchema, vmDescriptionSchema, vmSchema } from "../schemas/vm.ts";
import { vmCloneSchema } from "../schemas/vm-clone.ts";
import { vmExportedSchema, vmExportSchema } from "../schemas/vm-export.ts";
import { vmImportDraftSchema, vmImportOrderSchema } from "../schemas/vm-import.ts";
import { vmFilesAnswerSchema, vmFilesQuestionSchema } from "../schemas/vm-file.ts";
import { vmBasisSchema } from "../schemas/vm-basis.ts";
import { vmChangesSchema } from "../schemas/vm-changes.ts";
import { importErrorCodes } from "./vm-imports.ts";
import { vmParams } from "./agent-params.ts";
import type { Operations } from "./operation.ts";

const leaseParams = z.strictObject({ vmId: vmIdSchema, datastore: nameSchema, name: nameSchema });

export const agentVmOperations = {
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
      "DISK_NOT_LINKABLE",
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
    summary: "Whether the vm.json of each of these VMs is one; what could not be read is answered as unread",
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
    body: z.strictObject({
      datastore: nameSchema,
      name: nameSchema,
      changes: vmChangesSchema,
      /** Absent: not checked. */
      basis: vmBasisSchema.optional(),
    }),
    answer: { status: 200, body: vmSchema },
    errors: [
      ...["VM_UNKNOWN", "VM_BUSY", "DATASTORE_UNKNOWN", "VM_DESCRIPTION_INVALID", "SPACE_SHORT"],
      ...["CDROM_UNKNOWN", "CDROM_EMPTY", "CDROM_MEDIUM_MISSING", "CDROM_MEDIUM_UNUSABLE"],
      ...["VM_RUNNING", "TPM_UNAVAILABLE", "TPM_STATE_UNUSABLE", "VM_TAGS_TOO_MANY", "VM_CHANGED_MEANWHILE"],
      ...["HOST_DEVICE_MISSING", "DEVICE_KEPT_BY_GUEST"],
      ...[
        "CPU_AFFINITY_UNAVAILABLE",
        "QMP_REFUSED",
        "VM_HELD_ELSEWHERE",
        "VM_SUSPENDED",
        "LEASE_HELD",
        "LEASE_UNAVAILABLE",
      ],
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
      "DISK_NOT_LINKABLE",
      ...[
        "VM_HELD_ELSEWHERE",
        "VM_SUSPENDED",
        "LEASE_HELD",
        "LEASE_UNAVAILABLE",
        "DISK_EXISTS",
        "DISK_MISSING",
      ],
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
      ...[
        "VM_UNKNOWN",
        "VM_RUNNING",
        "VM_BUSY",
        "VM_DESCRIPTION_INVALID",
        "VM_HELD_ELSEWHERE",
        "VM_SUSPENDED",
        "LEASE_HELD",
      ],
      ...["LEASE_UNAVAILABLE", "DISK_MISSING", "DISK_NOT_OWN", "EXPORT_PLACE_UNUSABLE", "EXPORT_FAILED"],
      ...["SPACE_SHORT", "DATASTORE_UNKNOWN", "DATASTORE_UNAVAILABLE"],
    ],
  },
  vmCloneCancel: {
    method: "POST",
    path: "/agent/v1/vms/{vmId}/clone/cancel",
    privilege: "server",
    summary:
      "End the copy of a VM that goes on, with this id of the copy; what it had made is removed, and then the copy's own answer comes",
    params: vmParams,
    body: vmCloneSchema,
    answer: { status: 204 },
    errors: [],
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
  vmLeaseRevoke: {
    method: "POST",
    path: "/agent/v1/datastores/{datastore}/vms/{name}/lease/{vmId}/revoke",
    privilege: "server",
    summary:
      "Revoke the lease of a silent host that can be fenced for the VM: at which datastores the server has to do that, by their fence programs",
    params: leaseParams,
    body: z.strictObject({
      host: nameSchema,
      /** Datastores that have a fence program. */
      programs: z.array(nameSchema).max(mostOfHost.datastores),
    }),
    /** `lease`: which of the VM's leases was revoked. `datastores`: of `programs`, those that its QEMU writes to. */
    answer: { status: 200, body: z.object({ lease: countSchema, datastores: z.array(nameSchema) }) },
    errors: [
      ...["HOST_NOT_FENCED", "LEASE_HOLDER_ALIVE", "LEASE_HELD", "VM_UNKNOWN"],
      ...["DATASTORE_UNKNOWN", "DATASTORE_UNAVAILABLE", "SANLOCK_UNAVAILABLE"],
    ],
  },
  vmLeaseFence: {
    method: "POST",
    path: "/agent/v1/datastores/{datastore}/vms/{name}/lease/{vmId}/fence",
    privilege: "server",
    summary:
      "Keep a silent host from writing to the VM's LUNs by their persistent reservations, and then put a new lease in the place of its own",
    params: leaseParams,
    body: z.strictObject({
      host: nameSchema,
      /** The lease that `vmLeaseRevoke` has revoked, and where the host was fenced by programs since. Absent: nowhere. */
      revoked: z
        .strictObject({ lease: countSchema, datastores: z.array(nameSchema).max(mostOfHost.datastores) })
        .optional(),
    }),
    answer: { status: 200, body: leaseSchema },
    errors: [
      ...["HOST_NOT_FENCED", "LEASE_HOLDER_ALIVE", "LEASE_HELD", "VM_UNKNOWN"],
      ...["DATASTORE_UNKNOWN", "DATASTORE_UNAVAILABLE", "SANLOCK_UNAVAILABLE"],
    ],
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
} as const satisfies Operations;
