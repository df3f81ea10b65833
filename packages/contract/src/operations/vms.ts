/** VMs, a part of the server's API: inventory, power, and the move of one to another host. */
import { z } from "zod";
import { tagFilterSchema } from "../schemas/annotations.ts";
import { documentPageQuery, nextPageSchema } from "../schemas/page.ts";
import { cloudInitSchema } from "../schemas/cloud-init.ts";
import { findingSchema } from "../errors/schemas.ts";
import { moveChecksSchema } from "../schemas/move-checks.ts";
import { maxOutageSchema, strategySchema } from "../schemas/move.ts";
import { nameSchema } from "../schemas/names.ts";
import { exportPlaceSchema } from "../schemas/vm-export.ts";
import {
  deadlineSchema,
  forecastsSchema,
  maxSlowdownSchema,
  objectiveNameSchema,
  postcopyUseSchema,
} from "../schemas/objective.ts";
import { cpuRequestSchema, disksToDeleteSchema, vmDescriptionSchema } from "../schemas/vm.ts";
import { vmAdoptionSchema, vmDetailsSchema, vmViewSchema } from "../schemas/vm-view.ts";
import { vmBasisSchema } from "../schemas/vm-basis.ts";
import { moveFixSchema, vmChangesSchema } from "../schemas/vm-changes.ts";
import { taskSchemas, type TaskKind } from "../tasks/registry.ts";
import type { Operations } from "./operation.ts";
import { planErrors } from "./pools.ts";

/** A VM by its name or its id. */
const vmParams = z.strictObject({ vm: z.string().min(1).max(63) });
/** A task of this kind has been entered. */
const accepted = <K extends TaskKind>(kind: K) => ({ status: 202, body: taskSchemas[kind] }) as const;

/** Bounds of a move whose strategy is chosen while it runs. */
const objectiveParts = {
  /** Default: normal. */
  objective: objectiveNameSchema.optional(),
  maxSlowdown: maxSlowdownSchema.optional(),
  deadlineMs: deadlineSchema.optional(),
  postcopy: postcopyUseSchema.optional(),
};

export const vmOperations = {
  vmCreate: {
    method: "POST",
    path: "/api/v1/vms",
    privilege: "admin",
    summary: "Create a VM's folder and disks on a datastore; it is not started",
    body: z.strictObject({
      description: vmDescriptionSchema,
      host: nameSchema.optional(),
      /** What its guest is told at its first boot; the task tells only how much it was. */
      cloudInit: cloudInitSchema.optional(),
    }),
    answer: accepted("vm.create"),
    errors: [
      "VM_EXISTS",
      "SEED_DRIVE_TAKEN",
      "DISK_NOT_LINKABLE",
      "AGENT_CANNOT",
      "HOST_UNKNOWN",
      "HOST_UNREACHABLE",
      "DESTINATION_IN_MAINTENANCE",
      "DATASTORE_UNKNOWN",
      "NETWORK_UNKNOWN",
      "NETWORK_WITHOUT_BRIDGE",
    ],
  },
  vmRegister: {
    method: "POST",
    path: "/api/v1/vms/register",
    privilege: "admin",
    summary: "Read a VM's folder from a datastore back into the inventory",
    body: z.strictObject({ datastore: nameSchema, name: nameSchema, host: nameSchema.optional() }),
    answer: { status: 201, body: vmViewSchema },
    errors: [
      "VM_EXISTS",
      "VM_UNKNOWN",
      "DATASTORE_UNKNOWN",
      "HOST_UNREACHABLE",
      "DESTINATION_IN_MAINTENANCE",
      "VM_DESCRIPTION_INVALID",
    ],
  },
  vmRegisterAll: {
    method: "POST",
    path: "/api/v1/vms/register-all",
    privilege: "admin",
    summary:
      "Bring every VM that connected hosts have, and the inventory does not know, into it; one that a host which is not connected may run is left out",
    answer: { status: 200, body: vmAdoptionSchema },
    errors: [],
  },
  vmList: {
    method: "GET",
    path: "/api/v1/vms",
    privilege: "admin",
    summary: "VMs by name, a page of them; ask on with the answer's next as cursor until it is null",
    query: documentPageQuery.extend({ tags: tagFilterSchema.optional() }),
    answer: { status: 200, body: z.object({ vms: z.array(vmViewSchema), next: nextPageSchema }) },
    errors: [],
  },
  vmShow: {
    method: "GET",
    path: "/api/v1/vms/{vm}",
    privilege: "admin",
    summary: "One VM",
    params: vmParams,
    answer: { status: 200, body: vmDetailsSchema },
    errors: ["VM_UNKNOWN"],
  },
  vmCpuSet: {
    method: "PUT",
    path: "/api/v1/vms/{vm}/cpu",
    privilege: "admin",
    summary: "Set what is asked of a VM's CPU (null: follow pool or host); it holds from its next power-on",
    params: vmParams,
    body: z.strictObject({ cpu: cpuRequestSchema.nullable() }),
    answer: accepted("vm.configure"),
    errors: ["VM_UNKNOWN", "VM_BUSY", "VM_DESCRIPTION_INVALID", "HOST_UNREACHABLE"],
  },
  vmSet: {
    method: "PATCH",
    path: "/api/v1/vms/{vm}",
    privilege: "admin",
    summary:
      "Change tags, notes, CPU affinity, the memory target or CD-ROM drives of a VM, or what is asked of its CPU, at rest or while it runs; or its memory, vCPUs and TPM, at rest",
    params: vmParams,
    body: vmChangesSchema.extend({
      /** What the VM was when the change was decided; absent: not checked. */
      basis: vmBasisSchema.optional(),
      /** More memory, while it runs, also where the pool could then not bear the loss of a host. */
      force: z.boolean().optional(),
    }),
    answer: accepted("vm.configure"),
    errors: [
      ...["VM_UNKNOWN", "VM_BUSY", "VM_RUNNING", "CDROM_UNKNOWN", "CDROM_EMPTY", "HOST_UNREACHABLE"],
      ...["POOL_ADMISSION_REFUSED", "POOL_PLAN_LATE", "POOL_PLAN_FAILED", "POOL_PLANS_TOO_MANY"],
      ...[
        "VM_TAGS_TOO_MANY",
        "AGENT_CANNOT",
        "VM_CHANGED_MEANWHILE",
        "HOST_DEVICE_MISSING",
        "BALLOON_MISSING",
      ],
    ],
  },
  vmStart: {
    method: "POST",
    path: "/api/v1/vms/{vm}/start",
    privilege: "admin",
    summary: "Power a VM on",
    params: vmParams,
    body: z.strictObject({
      /** Default: where it ran last, or another host of the pool where rules forbid that. */
      host: nameSchema.optional(),
      /** Also where it breaks a rule of a pool that must hold, or where the pool could then not bear the loss of a host. */
      force: z.boolean().optional(),
      /** A VM that is suspended to disk boots, and what it had in memory is lost. */
      discardMemory: z.boolean().optional(),
    }),
    answer: accepted("vm.start"),
    errors: [
      "AGENT_CANNOT",
      "VM_UNKNOWN",
      "VM_RUNNING",
      "VM_PAUSED",
      "VM_BUSY",
      "HOST_UNKNOWN",
      "DATASTORE_UNAVAILABLE",
      "HOST_UNREACHABLE",
      "DESTINATION_IN_MAINTENANCE",
      "MOVE_REFUSED",
      "LEASE_HELD",
      "POOL_RULE_BROKEN",
      "POOL_NO_HOST",
      "POOL_ADMISSION_REFUSED",
      ...planErrors,
    ],
  },
  vmStop: {
    method: "POST",
    path: "/api/v1/vms/{vm}/stop",
    privilege: "admin",
    summary: "Power a VM off: by ACPI within the grace time, then by ending QEMU",
    params: vmParams,
    body: z.strictObject({ graceSeconds: z.int().min(0).max(3600).default(60) }),
    answer: accepted("vm.stop"),
    errors: ["VM_UNKNOWN", "VM_NOT_RUNNING", "VM_BUSY", "HOST_UNREACHABLE"],
  },
  vmPause: {
    method: "POST",
    path: "/api/v1/vms/{vm}/pause",
    privilege: "admin",
    summary: "Stop a VM's vCPUs; its memory stays as it is",
    params: vmParams,
    answer: accepted("vm.pause"),
    errors: ["VM_UNKNOWN", "VM_NOT_RUNNING", "VM_BUSY", "HOST_UNREACHABLE"],
  },
  vmSuspend: {
    method: "POST",
    path: "/api/v1/vms/{vm}/suspend",
    privilege: "admin",
    summary: "Write a VM's memory to its folder and end its process; at its next start its guest goes on",
    params: vmParams,
    answer: accepted("vm.suspend"),
    errors: ["VM_UNKNOWN", "VM_NOT_RUNNING", "VM_BUSY", "HOST_UNREACHABLE", "AGENT_CANNOT"],
  },
  vmResume: {
    method: "POST",
    path: "/api/v1/vms/{vm}/resume",
    privilege: "admin",
    summary: "Let a VM's vCPUs run again, whatever stopped them",
    params: vmParams,
    answer: accepted("vm.resume"),
    errors: ["VM_UNKNOWN", "VM_NOT_RUNNING", "VM_BUSY", "HOST_UNREACHABLE"],
  },
  vmReset: {
    method: "POST",
    path: "/api/v1/vms/{vm}/reset",
    privilege: "admin",
    summary: "Reset a VM that runs, as by its reset button; what its guest had not written is lost",
    params: vmParams,
    answer: accepted("vm.reset"),
    errors: ["VM_UNKNOWN", "VM_NOT_RUNNING", "VM_BUSY", "HOST_UNREACHABLE"],
  },
  vmClone: {
    method: "POST",
    path: "/api/v1/vms/{vm}/clone",
    privilege: "admin",
    summary: "Copy a stopped VM to a new one, with disks and MAC addresses of its own; it is not started",
    params: vmParams,
    body: z.strictObject({
      /** Of the new VM. */
      name: nameSchema,
      /** Where all of its disks are to lie, and its folder, unless it is a LUN, which has none; absent: each where the VM has its own. */
      datastore: nameSchema.optional(),
      /** Its disks share what they have in common with those of the VM, which get bases by it; absent: they are copied in full. */
      linked: z.boolean().optional(),
    }),
    answer: accepted("vm.clone"),
    errors: [
      "DISK_NOT_LINKABLE",
      ...["VM_UNKNOWN", "VM_RUNNING", "VM_BUSY", "VM_EXISTS", "HOST_UNREACHABLE", "AGENT_CANNOT"],
      ...["DISK_IS_LUN", "DATASTORE_UNKNOWN", "DATASTORE_WITHOUT_FOLDERS", "DESTINATION_IN_MAINTENANCE"],
    ],
  },
  vmExport: {
    method: "POST",
    path: "/api/v1/vms/{vm}/export",
    privilege: "admin",
    summary: "Write a stopped VM as an OVA to a datastore; the VM stays as it is",
    params: vmParams,
    body: z.strictObject({ to: exportPlaceSchema }),
    answer: accepted("vm.export"),
    errors: [
      ...["VM_UNKNOWN", "VM_RUNNING", "VM_BUSY", "HOST_UNREACHABLE", "AGENT_CANNOT", "DISK_IS_LUN"],
      ...["DATASTORE_UNKNOWN", "DATASTORE_WITHOUT_FOLDERS", "DESTINATION_IN_MAINTENANCE"],
    ],
  },
  vmDelete: {
    method: "DELETE",
    path: "/api/v1/vms/{vm}",
    privilege: "admin",
    summary:
      "Delete a stopped VM with its folder and disks; images that it was given to keep are kept by default",
    params: vmParams,
    query: z.strictObject({ disks: disksToDeleteSchema.default("made") }),
    answer: accepted("vm.delete"),
    errors: ["VM_UNKNOWN", "VM_RUNNING", "VM_MAY_RUN", "VM_BUSY", "HOST_UNREACHABLE"],
  },
  vmUnregister: {
    method: "POST",
    path: "/api/v1/vms/{vm}/unregister",
    privilege: "admin",
    summary: "Take a VM that does not run out of the inventory; its folder and disks stay as they are",
    params: vmParams,
    answer: { status: 204 },
    errors: ["VM_UNKNOWN", "VM_RUNNING", "VM_MAY_RUN", "VM_BUSY", "LEASE_HELD"],
  },
  vmCheck: {
    method: "POST",
    path: "/api/v1/vms/{vm}/check",
    privilege: "admin",
    summary: "All reasons for which a move to a host would be refused",
    params: vmParams,
    body: z.strictObject({
      to: z.string().min(1).max(63),
      /** A datastore of that host that the disks of a running VM are to move to with it; absent: they stay where they are. */
      datastore: nameSchema.optional(),
      strategy: strategySchema.default("auto"),
      /** What the move would be like: measured and played, which takes some seconds. */
      forecast: z.boolean().default(false),
      maxOutageMs: maxOutageSchema.optional(),
      ...objectiveParts,
      bandwidthMbps: z.number().positive().max(1_000_000).optional(),
    }),
    answer: {
      status: 200,
      body: z.object({
        vm: z.string(),
        from: z.string(),
        to: z.string(),
        allowed: z.boolean(),
        findings: z.array(findingSchema),
        /** Changes of the VM that make it movable and do no harm to its guest's data; absent: a server of an earlier version. */
        fixes: z.array(moveFixSchema).optional(),
        /** Null: not asked for, it may not move, it does not run, or it could not be measured. */
        forecast: forecastsSchema.nullable(),
      }),
    },
    errors: ["VM_UNKNOWN", "HOST_UNKNOWN"],
  },
  moveCheck: {
    method: "POST",
    path: "/api/v1/move-checks",
    privilege: "admin",
    summary: "Which hosts could take which VMs, and why others could not",
    body: z.strictObject({
      /** Names or ids; absent: all VMs. */
      vms: z.array(z.string().min(1).max(63)).max(5000).optional(),
      /** Names; absent: all hosts. */
      to: z.array(z.string().min(1).max(63)).max(1000).optional(),
      strategy: strategySchema.default("auto"),
    }),
    answer: { status: 200, body: moveChecksSchema },
    errors: ["VM_UNKNOWN", "HOST_UNKNOWN"],
  },
  vmMigrate: {
    method: "POST",
    path: "/api/v1/vms/{vm}/migrate",
    privilege: "admin",
    summary: "Move a VM to another host: live if it runs, otherwise only its host is changed",
    params: vmParams,
    body: z.strictObject({
      /** Default: the host of its pool that the planner chooses. */
      to: z.string().min(1).max(63).optional(),
      /**
       * A datastore of that host, which must be named, that the disks of the running VM move to with it: for hosts that share no
       * storage. Absent: the disks stay where they are.
       */
      datastore: nameSchema.optional(),
      /** Also where it breaks a rule of a pool that must hold. */
      force: z.boolean().optional(),
      /** Default: 50 ms; 250 ms for an emulated guest; the objective `batch` allows 500 ms and 1 s. */
      maxOutageMs: maxOutageSchema.optional(),
      strategy: strategySchema.default("auto"),
      ...objectiveParts,
      bandwidthMbps: z.number().positive().max(1_000_000).optional(),
      /**
       * Measure the VM's memory before the move where that was not done in the last ten minutes, which takes some seconds:
       * the task has its forecast then.
       */
      forecast: z.boolean().optional(),
    }),
    answer: {
      status: 202,
      body: z.discriminatedUnion("kind", [taskSchemas["vm.migrate"], taskSchemas["vm.relocate"]]),
    },
    errors: [
      "VM_UNKNOWN",
      "VM_BUSY",
      "VM_ALREADY_THERE",
      "VM_NOT_RUNNING",
      "REQUEST_INVALID",
      "HOST_UNKNOWN",
      "HOST_UNREACHABLE",
      "MOVE_REFUSED",
      "VM_NOT_IN_POOL",
      "POOL_NO_HOST",
      "POOL_ADMISSION_REFUSED",
      ...planErrors,
    ],
  },
} as const satisfies Operations;
