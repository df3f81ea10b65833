/** The server's API, `/api/v1`. */
import { z } from "zod";
import { findingSchema } from "../errors/error.ts";
import { consoleQuerySchema } from "../schemas/console.ts";
import { hostViewSchema } from "../schemas/host.ts";
import { leaseModeSchema, leaseSchema, leaseViewSchema } from "../schemas/lease.ts";
import { maxOutageSchema, strategySchema } from "../schemas/move.ts";
import { nameSchema, taskIdSchema, vmIdSchema } from "../schemas/names.ts";
import { taskSchema, taskStateSchema } from "../schemas/task.ts";
import { cpuWishSchema, vmDescriptionSchema, vmViewSchema } from "../schemas/vm.ts";
import type { Operations } from "./operation.ts";
import { poolOperations } from "./pools.ts";

/** A VM by its name or its id. */
const vmParams = z.strictObject({ vm: z.string().min(1).max(63) });
const hostParams = z.strictObject({ host: z.string().min(1).max(63) });
const taskParams = z.strictObject({ task: taskIdSchema });
/** Grows with each question of a host: one that comes after a later one has been decided counts no more. */
const questionNumberSchema = z.int().nonnegative();
const leaseParams = z.strictObject({ vmId: vmIdSchema });
const pem = z
  .string()
  .max(20_000)
  .regex(/^-----BEGIN /, "must be PEM");
const task202 = { status: 202, body: taskSchema } as const;

export const serverOperations = {
  version: {
    method: "GET",
    path: "/api/v1/version",
    privilege: "public",
    summary: "The server's version",
    answer: { status: 200, body: z.object({ name: z.literal("godwit"), version: z.string() }) },
    errors: [],
  },

  hostTokenCreate: {
    method: "POST",
    path: "/api/v1/hosts/tokens",
    privilege: "admin",
    summary: "Make a one-time token with which one host may join",
    body: z.strictObject({ validSeconds: z.int().min(1).max(604_800).default(3600) }),
    answer: { status: 201, body: z.object({ token: z.string(), expiresAt: z.iso.datetime() }) },
    errors: [],
  },
  hostJoin: {
    method: "POST",
    path: "/api/v1/hosts/join",
    privilege: "public",
    summary: "Join a host: a token and certificate requests for certificates",
    body: z.strictObject({
      token: z.string().max(500),
      name: nameSchema,
      agentUrl: z.url({ protocol: /^https$/ }).max(300),
      /** Of the agent. */
      certificateRequest: pem,
      /** Of QEMU's migration streams; its key is readable by the QEMU user. */
      migrationCertificateRequest: pem,
    }),
    answer: {
      status: 201,
      body: z.object({
        name: nameSchema,
        caCertificate: z.string(),
        certificate: z.string(),
        migrationCertificate: z.string(),
        serverName: z.string(),
      }),
    },
    errors: ["TOKEN_INVALID", "HOST_EXISTS", "NAME_INVALID"],
  },
  hostList: {
    method: "GET",
    path: "/api/v1/hosts",
    privilege: "admin",
    summary: "All hosts with their facts",
    answer: { status: 200, body: z.object({ hosts: z.array(hostViewSchema) }) },
    errors: [],
  },
  hostShow: {
    method: "GET",
    path: "/api/v1/hosts/{host}",
    privilege: "admin",
    summary: "One host",
    params: hostParams,
    answer: { status: 200, body: hostViewSchema },
    errors: ["HOST_UNKNOWN"],
  },
  hostRemove: {
    method: "DELETE",
    path: "/api/v1/hosts/{host}",
    privilege: "admin",
    summary:
      "Remove a host; its certificate is no longer accepted. With force: it is powered off for good, its VMs may start elsewhere",
    params: hostParams,
    query: z.strictObject({ force: z.stringbool().default(false) }),
    answer: { status: 204 },
    errors: ["HOST_UNKNOWN", "HOST_BUSY"],
  },
  hostMaintenanceEnter: {
    method: "POST",
    path: "/api/v1/hosts/{host}/maintenance/enter",
    privilege: "admin",
    summary: "Let a host take no more VMs and move those that it has to other hosts",
    params: hostParams,
    body: z.strictObject({
      /** How many VMs move away at once; to each destination one at a time. */
      concurrency: z.int().min(1).max(16).default(2),
      /** Of each move. Default: 50 ms; 250 ms for an emulated guest. */
      maxOutageMs: maxOutageSchema.optional(),
    }),
    answer: task202,
    errors: ["HOST_UNKNOWN", "HOST_UNREACHABLE", "HOST_TASK_UNDER_WAY", "MAINTENANCE_REFUSED"],
  },
  hostMaintenanceExit: {
    method: "POST",
    path: "/api/v1/hosts/{host}/maintenance/exit",
    privilege: "admin",
    summary: "Let a host take VMs again; for one that does already, nothing changes",
    params: hostParams,
    answer: { status: 200, body: hostViewSchema },
    errors: ["HOST_UNKNOWN", "HOST_TASK_UNDER_WAY"],
  },

  ...poolOperations,

  vmCreate: {
    method: "POST",
    path: "/api/v1/vms",
    privilege: "admin",
    summary: "Create a VM's folder and disks on a datastore; it is not started",
    body: z.strictObject({ description: vmDescriptionSchema, host: nameSchema.optional() }),
    answer: task202,
    errors: [
      "VM_EXISTS",
      "HOST_UNKNOWN",
      "HOST_UNREACHABLE",
      "DESTINATION_IN_MAINTENANCE",
      "DATASTORE_UNKNOWN",
      "NETWORK_UNKNOWN",
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
  vmList: {
    method: "GET",
    path: "/api/v1/vms",
    privilege: "admin",
    summary: "All VMs",
    answer: { status: 200, body: z.object({ vms: z.array(vmViewSchema) }) },
    errors: [],
  },
  vmShow: {
    method: "GET",
    path: "/api/v1/vms/{vm}",
    privilege: "admin",
    summary: "One VM",
    params: vmParams,
    answer: { status: 200, body: vmViewSchema },
    errors: ["VM_UNKNOWN"],
  },
  vmCpuSet: {
    method: "PUT",
    path: "/api/v1/vms/{vm}/cpu",
    privilege: "admin",
    summary: "Set what is asked of a VM's CPU (null: follow pool or host); it holds from its next power-on",
    params: vmParams,
    body: z.strictObject({ cpu: cpuWishSchema.nullable() }),
    answer: task202,
    errors: ["VM_UNKNOWN", "VM_BUSY", "VM_DESCRIPTION_INVALID", "HOST_UNREACHABLE"],
  },
  vmStart: {
    method: "POST",
    path: "/api/v1/vms/{vm}/start",
    privilege: "admin",
    summary: "Power a VM on",
    params: vmParams,
    body: z.strictObject({ host: nameSchema.optional() }),
    answer: task202,
    errors: [
      "VM_UNKNOWN",
      "VM_RUNNING",
      "VM_BUSY",
      "HOST_UNKNOWN",
      "HOST_UNREACHABLE",
      "DESTINATION_IN_MAINTENANCE",
      "MOVE_REFUSED",
      "LEASE_HELD",
    ],
  },
  vmStop: {
    method: "POST",
    path: "/api/v1/vms/{vm}/stop",
    privilege: "admin",
    summary: "Power a VM off: by ACPI within the grace time, then by ending QEMU",
    params: vmParams,
    body: z.strictObject({ graceSeconds: z.int().min(0).max(3600).default(60) }),
    answer: task202,
    errors: ["VM_UNKNOWN", "VM_NOT_RUNNING", "VM_BUSY", "HOST_UNREACHABLE"],
  },
  vmDelete: {
    method: "DELETE",
    path: "/api/v1/vms/{vm}",
    privilege: "admin",
    summary: "Delete a stopped VM with its folder and disks",
    params: vmParams,
    answer: task202,
    errors: ["VM_UNKNOWN", "VM_RUNNING", "VM_BUSY", "HOST_UNREACHABLE"],
  },
  vmCheck: {
    method: "POST",
    path: "/api/v1/vms/{vm}/check",
    privilege: "admin",
    summary: "What a move to a host would be refused for, all at once",
    params: vmParams,
    body: z.strictObject({ to: z.string().min(1).max(63) }),
    answer: {
      status: 200,
      body: z.object({
        vm: z.string(),
        from: z.string(),
        to: z.string(),
        mayMove: z.boolean(),
        findings: z.array(findingSchema),
      }),
    },
    errors: ["VM_UNKNOWN", "HOST_UNKNOWN"],
  },
  vmMigrate: {
    method: "POST",
    path: "/api/v1/vms/{vm}/migrate",
    privilege: "admin",
    summary: "Move a VM to another host: live if it runs, else its place changes",
    params: vmParams,
    body: z.strictObject({
      to: z.string().min(1).max(63),
      /** Default: 50 ms; 250 ms for an emulated guest. */
      maxOutageMs: maxOutageSchema.optional(),
      strategy: strategySchema.default("auto"),
      bandwidthMbps: z.number().positive().max(1_000_000).optional(),
    }),
    answer: task202,
    errors: ["VM_UNKNOWN", "VM_BUSY", "VM_ALREADY_THERE", "HOST_UNKNOWN", "HOST_UNREACHABLE", "MOVE_REFUSED"],
  },

  vmLeaseShow: {
    method: "GET",
    path: "/api/v1/vms/{vm}/lease",
    privilege: "admin",
    summary: "Which host may run a VM, and when a silent host's lease is free",
    params: vmParams,
    answer: { status: 200, body: leaseViewSchema },
    errors: ["VM_UNKNOWN", "HOST_UNREACHABLE", "DATASTORE_UNAVAILABLE", "SANLOCK_UNAVAILABLE"],
  },
  vmLeaseBreak: {
    method: "POST",
    path: "/api/v1/vms/{vm}/lease/break",
    privilege: "admin",
    summary:
      "Free the lease of a host that the caller vouches is powered off; if it is not, the VM can run twice",
    params: vmParams,
    body: z.strictObject({ host: nameSchema }),
    answer: { status: 200, body: leaseViewSchema },
    errors: [
      "VM_UNKNOWN",
      "HOST_UNREACHABLE",
      "LEASE_NOT_OF_HOST",
      "LEASE_HOLDER_ALIVE",
      "SANLOCK_UNAVAILABLE",
    ],
  },
  vmConsole: {
    method: "GET",
    path: "/api/v1/vms/{vm}/console",
    privilege: "admin",
    summary:
      "A WebSocket to the VM's serial console: binary messages are its bytes, text messages tell what becomes of the line. It follows the VM when that moves",
    params: vmParams,
    query: consoleQuerySchema,
    answer: { status: 101, socket: true },
    errors: ["VM_UNKNOWN", "VM_NOT_RUNNING", "HOST_UNREACHABLE", "CONSOLE_IN_USE"],
  },

  taskList: {
    method: "GET",
    path: "/api/v1/tasks",
    privilege: "admin",
    summary: "Tasks, newest first",
    query: z.strictObject({
      state: taskStateSchema.optional(),
      limit: z.coerce.number().int().min(1).max(500).default(50),
    }),
    answer: { status: 200, body: z.object({ tasks: z.array(taskSchema) }) },
    errors: [],
  },
  taskShow: {
    method: "GET",
    path: "/api/v1/tasks/{task}",
    privilege: "admin",
    summary: "One task",
    params: taskParams,
    answer: { status: 200, body: taskSchema },
    errors: ["TASK_UNKNOWN"],
  },
  taskCancel: {
    method: "POST",
    path: "/api/v1/tasks/{task}/cancel",
    privilege: "admin",
    summary: "Cancel a task where that is still possible",
    params: taskParams,
    answer: task202,
    errors: ["TASK_UNKNOWN", "TASK_NOT_CANCELLABLE"],
  },
  events: {
    method: "GET",
    path: "/api/v1/events",
    privilege: "admin",
    summary: "Events as they happen; Last-Event-ID (or ?after=) resumes",
    query: z.strictObject({ after: z.coerce.number().int().min(0).optional() }),
    answer: { status: 200, stream: true },
    errors: [],
  },

  leaseShow: {
    method: "GET",
    path: "/api/v1/leases/{vmId}",
    privilege: "host",
    summary: "A VM's lease",
    params: leaseParams,
    answer: { status: 200, body: leaseSchema },
    errors: [],
  },
  leaseListOwn: {
    method: "GET",
    path: "/api/v1/leases",
    privilege: "host",
    summary: "The leases that the calling host holds",
    answer: { status: 200, body: z.object({ leases: z.array(leaseSchema) }) },
    errors: [],
  },
  leaseAcquire: {
    method: "POST",
    path: "/api/v1/leases/{vmId}/acquire",
    privilege: "host",
    summary: "Take a lease for the calling host; taking what it holds already changes nothing",
    params: leaseParams,
    body: z.strictObject({ mode: leaseModeSchema, vm: nameSchema, number: questionNumberSchema }),
    answer: { status: 200, body: leaseSchema },
    errors: ["LEASE_HELD", "LEASE_OVERTAKEN"],
  },
  leaseConvert: {
    method: "POST",
    path: "/api/v1/leases/{vmId}/convert",
    privilege: "host",
    summary: "Convert the calling host's lease; SH to EX only when no other host holds it",
    params: leaseParams,
    body: z.strictObject({ mode: leaseModeSchema, vm: nameSchema, number: questionNumberSchema }),
    answer: { status: 200, body: leaseSchema },
    errors: ["LEASE_HELD", "LEASE_NOT_HELD", "LEASE_OVERTAKEN"],
  },
  leaseRelease: {
    method: "POST",
    path: "/api/v1/leases/{vmId}/release",
    privilege: "host",
    summary: "Give the calling host's lease back; giving back what it does not hold changes nothing",
    params: leaseParams,
    body: z.strictObject({ vm: nameSchema, number: questionNumberSchema }),
    answer: { status: 200, body: leaseSchema },
    errors: ["LEASE_OVERTAKEN"],
  },
} as const satisfies Operations;
