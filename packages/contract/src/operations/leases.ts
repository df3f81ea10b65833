/**
 * Leases, a part of the server's API: which host may run a VM. People look at them and break them by the VM;
 * hosts, each for itself only, take and give back those on host-local datastores by the VM's id.
 */
import { z } from "zod";
import { leaseModeSchema, leaseSchema, leaseViewSchema } from "../schemas/lease.ts";
import { nameSchema, vmIdSchema } from "../schemas/names.ts";
import type { Operations } from "./operation.ts";

/** A VM by its name or its id. */
const vmParams = z.strictObject({ vm: z.string().min(1).max(63) });
const leaseParams = z.strictObject({ vmId: vmIdSchema });
/** Grows with each request of a host: one that arrives after a later one has been answered is refused. */
const questionNumberSchema = z.int().nonnegative();

export const vmLeaseOperations = {
  vmLeaseShow: {
    method: "GET",
    path: "/api/v1/vms/{vm}/lease",
    privilege: "admin",
    summary: "Which host may run a VM, and when the lease of a host that does not respond is free",
    params: vmParams,
    answer: { status: 200, body: leaseViewSchema },
    errors: ["VM_UNKNOWN", "HOST_UNREACHABLE", "DATASTORE_UNAVAILABLE", "SANLOCK_UNAVAILABLE"],
  },
  vmLeaseBreak: {
    method: "POST",
    path: "/api/v1/vms/{vm}/lease/break",
    privilege: "admin",
    summary:
      "Free the lease of a host that the caller vouches is powered off (if it is not, the VM can run twice), or that is fenced at the VM's datastores, by persistent reservations or fence programs",
    params: vmParams,
    body: z.strictObject({
      host: nameSchema,
      /** `reservations`: nobody vouches; the host is fenced, by whatever the VM's datastores have. Absent: the caller vouches. */
      by: z.literal("reservations").optional(),
    }),
    answer: { status: 200, body: leaseViewSchema },
    errors: [
      "VM_UNKNOWN",
      "HOST_UNREACHABLE",
      "LEASE_NOT_OF_HOST",
      "LEASE_HOLDER_ALIVE",
      "HOST_NOT_FENCED",
      "SANLOCK_UNAVAILABLE",
    ],
  },
} as const satisfies Operations;

export const leaseOperations = {
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
    errors: ["LEASES_TOO_MANY", "LEASE_HELD", "LEASE_OVERTAKEN"],
  },
  leaseConvert: {
    method: "POST",
    path: "/api/v1/leases/{vmId}/convert",
    privilege: "host",
    summary: "Convert the calling host's lease; SH to EX only when no other host holds it",
    params: leaseParams,
    body: z.strictObject({ mode: leaseModeSchema, vm: nameSchema, number: questionNumberSchema }),
    answer: { status: 200, body: leaseSchema },
    errors: ["LEASES_TOO_MANY", "LEASE_HELD", "LEASE_NOT_HELD", "LEASE_OVERTAKEN"],
  },
  leaseRelease: {
    method: "POST",
    path: "/api/v1/leases/{vmId}/release",
    privilege: "host",
    summary: "Give the calling host's lease back; giving back what it does not hold changes nothing",
    params: leaseParams,
    body: z.strictObject({ vm: nameSchema, number: questionNumberSchema }),
    answer: { status: 200, body: leaseSchema },
    errors: ["LEASES_TOO_MANY", "LEASE_OVERTAKEN"],
  },
} as const satisfies Operations;
