/** Hosts, a part of the server's API: how one joins and leaves, what it is, its maintenance. */
import { z } from "zod";
import { hostViewSchema } from "../schemas/host.ts";
import { memberListSchema } from "../schemas/member.ts";
import { maintenanceBodySchema, maintenancePlanSchema, startedAgainSchema } from "../schemas/maintenance.ts";
import { maxOutageSchema } from "../schemas/move.ts";
import { agentUrlSchema } from "../schemas/addresses.ts";
import { nameSchema } from "../schemas/names.ts";
import { documentPageQuery, nextPageSchema } from "../schemas/page.ts";
import { taskSchema, taskSchemas } from "../tasks/registry.ts";
import { hostParams } from "./host-params.ts";
import type { Operations } from "./operation.ts";

const pem = z
  .string()
  .max(20_000)
  .regex(/^-----BEGIN /, "must be PEM");

export const hostOperations = {
  hostTokenCreate: {
    method: "POST",
    path: "/api/v1/hosts/tokens",
    privilege: "admin",
    summary: "Create a one-time token with which one host may join",
    body: z.strictObject({
      validSeconds: z.int().min(1).max(604_800).default(3600),
      /** A host of the cluster that may join again with it, under its name: its old certificates are refused then. */
      rejoin: nameSchema.optional(),
    }),
    answer: { status: 201, body: z.object({ token: z.string(), expiresAt: z.iso.datetime() }) },
    errors: ["HOST_UNKNOWN", "TOKENS_TOO_MANY"],
  },
  hostJoin: {
    method: "POST",
    path: "/api/v1/hosts/join",
    privilege: "public",
    summary: "Join a host: a token and certificate requests for certificates",
    body: z.strictObject({
      token: z.string().max(500),
      name: nameSchema,
      agentUrl: agentUrlSchema,
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
        /** Absent: the server is of an earlier version. */
        members: memberListSchema.optional(),
      }),
    },
    errors: ["TOKEN_INVALID", "HOST_EXISTS", "NAME_INVALID", "VERSION_UNSUPPORTED"],
  },
  hostCertificateRenew: {
    method: "POST",
    path: "/api/v1/hosts/certificates",
    privilege: "host",
    summary:
      "New certificates for the host that calls, for new keys; the earlier ones count until these are in use, or until they end",
    body: z.strictObject({ certificateRequest: pem, migrationCertificateRequest: pem }),
    answer: {
      status: 200,
      body: z.object({
        caCertificate: z.string(),
        certificate: z.string(),
        migrationCertificate: z.string(),
      }),
    },
    errors: ["HOST_UNKNOWN"],
  },
  hostCertificateUse: {
    method: "POST",
    path: "/api/v1/hosts/certificates/use",
    privilege: "host",
    summary:
      "The host that calls uses the certificate of this call, and none before it: those count no more. Asking again changes nothing",
    answer: { status: 204 },
    errors: ["HOST_UNKNOWN"],
  },
  hostList: {
    method: "GET",
    path: "/api/v1/hosts",
    privilege: "admin",
    summary:
      "Hosts with their facts by name, a page of them; ask on with the answer's next as cursor until it is null",
    query: documentPageQuery,
    answer: { status: 200, body: z.object({ hosts: z.array(hostViewSchema), next: nextPageSchema }) },
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
  hostSet: {
    method: "PATCH",
    path: "/api/v1/hosts/{host}",
    privilege: "admin",
    summary:
      "Limit what all moves from and to a host may use of its link together; counts for those under way too",
    params: hostParams,
    body: z.strictObject({
      /** Null: what the link gives. */
      moveBandwidthMbps: z.number().positive().max(1_000_000).nullable(),
    }),
    answer: { status: 200, body: hostViewSchema },
    errors: ["HOST_UNKNOWN"],
  },
  hostRemove: {
    method: "DELETE",
    path: "/api/v1/hosts/{host}",
    privilege: "admin",
    summary:
      "Remove a host that no VM and no task needs; its certificate is no longer accepted. With force: it is powered off for good, its VMs may start elsewhere",
    params: hostParams,
    query: z.strictObject({ force: z.stringbool().default(false) }),
    answer: { status: 204 },
    errors: ["HOST_UNKNOWN", "HOST_BUSY", "HOST_ALIVE", "DATASTORE_ACCESS_REVOKED"],
  },
  hostMaintenanceEnter: {
    method: "POST",
    path: "/api/v1/hosts/{host}/maintenance/enter",
    privilege: "admin",
    summary: "Put a host into maintenance: it takes no more VMs, and those that it has move to other hosts",
    params: hostParams,
    body: maintenanceBodySchema,
    answer: { status: 202, body: taskSchemas["host.enterMaintenance"] },
    errors: [
      ...["HOST_UNKNOWN", "HOST_UNREACHABLE", "HOST_TASK_UNDER_WAY", "MAINTENANCE_REFUSED"],
      ...["VM_UNKNOWN", "MAINTENANCE_VM_ELSEWHERE"],
    ],
  },
  hostMaintenancePlan: {
    method: "POST",
    path: "/api/v1/hosts/{host}/maintenance/plan",
    privilege: "admin",
    summary:
      "What entering maintenance would do: order, destinations and forecasts of the moves, and VMs that cannot move; measures VMs for up to a minute and changes nothing",
    params: hostParams,
    body: maintenanceBodySchema,
    answer: { status: 200, body: maintenancePlanSchema },
    errors: ["HOST_UNKNOWN", "HOST_UNREACHABLE", "VM_UNKNOWN", "MAINTENANCE_VM_ELSEWHERE"],
  },
  hostMaintenanceExit: {
    method: "POST",
    path: "/api/v1/hosts/{host}/maintenance/exit",
    privilege: "admin",
    summary:
      "End the maintenance of a host, and start the VMs that it had shut down; a host that is not in maintenance stays so",
    params: hostParams,
    query: z.strictObject({
      /** Whether VMs that the maintenance shut down are started again. */
      start: z.stringbool().default(true),
    }),
    answer: { status: 200, body: hostViewSchema.extend(startedAgainSchema.shape) },
    errors: ["HOST_UNKNOWN", "HOST_TASK_UNDER_WAY"],
  },
  hostAway: {
    method: "GET",
    path: "/api/v1/hosts/{host}/away",
    privilege: "admin",
    summary: "VMs that the host's last maintenance moved away, and that still are where they went",
    params: hostParams,
    answer: { status: 200, body: z.object({ vms: z.array(z.object({ vm: nameSchema, host: nameSchema })) }) },
    errors: ["HOST_UNKNOWN"],
  },
  hostBringBack: {
    method: "POST",
    path: "/api/v1/hosts/{host}/bring-back",
    privilege: "admin",
    summary:
      "Move VMs back that the host's last maintenance moved away: a task each; those that may not move stay",
    params: hostParams,
    answer: {
      status: 202,
      body: z.object({
        tasks: z.array(taskSchema),
        left: z.array(z.object({ vm: nameSchema, reason: z.string() })),
      }),
    },
    errors: ["HOST_UNKNOWN", "HOST_UNREACHABLE", "DESTINATION_IN_MAINTENANCE"],
  },
  hostRenewQemu: {
    method: "POST",
    path: "/api/v1/hosts/{host}/renew-qemu",
    privilege: "admin",
    summary:
      "Bring the running VMs of a host whose QEMU was upgraded onto the new one: each moves to another host and back",
    params: hostParams,
    body: z.strictObject({
      /** Of each move. Default: 50 ms; 250 ms for an emulated guest. */
      maxOutageMs: maxOutageSchema.optional(),
    }),
    answer: { status: 202, body: taskSchemas["host.renewQemu"] },
    errors: ["HOST_UNKNOWN", "HOST_UNREACHABLE", "HOST_TASK_UNDER_WAY"],
  },
} as const satisfies Operations;
