/** The lease: the record that says which host may run a VM, and at which version. Semantics of sanlock. */
import { z } from "zod";
import { nameSchema, vmIdSchema } from "./names.ts";

/** EX: exclusive, alone. SH: shared; nobody can get EX while another holds it. */
export const leaseModeSchema = z.enum(["EX", "SH"]);
export type LeaseMode = z.infer<typeof leaseModeSchema>;

export const leaseSchema = z.object({
  vmId: vmIdSchema,
  /** Grows with each exclusive grant to a new holder: the fencing token, and the epoch of a move. */
  version: z.number().int(),
  holders: z.array(
    z.object({
      host: nameSchema,
      mode: leaseModeSchema,
      /** Null where the storage does not keep it: of shared leases on disk. */
      since: z.iso.datetime().nullable(),
      /** Whether the holder responded lately. A hint for waiting or giving up; never permission to run. */
      fresh: z.boolean(),
      /** Of a silent host's lease on shared storage: when others can take it, in milliseconds. */
      freeInMs: z.number().nullable(),
    }),
  ),
  /** Hosts that were fenced while they shared it: whether they ran the VM before, nobody can tell. */
  fenced: z.array(nameSchema),
});
/** Of a host's leases on a shared datastore. */
export const leaseStateSchema = z.enum(["joining", "joined", "unavailable"]);
/** A lease as operators see it. */
export const leaseViewSchema = leaseSchema.extend({
  vm: nameSchema,
  /** On the VM's shared datastore, or in the server's database. */
  kept: z.enum(["storage", "database"]),
  /** The host that was asked, where it is on storage. */
  seenFrom: nameSchema.nullable(),
});
export type LeaseView = z.infer<typeof leaseViewSchema>;
export type Lease = z.infer<typeof leaseSchema>;
