/**
 * Datastores as objects of the inventory: what the server defines, what a host applies, and what both together look like
 * to an operator. A definition names a place; which storage is there is said by the id that is written on it.
 */
import { z } from "zod";
import { chapSecretSchema, datastoreSourceSchema, newSourceSchema } from "./datastore-source.ts";
import { countSchema, mostOfHost } from "./host-facts.ts";
import { datastoreLeasesSchema, datastoreReservationsSchema } from "./host-load.ts";
import { datastoreIdSchema, nameSchema } from "./names.ts";

/** A file in the server's folder of fence programs. */
export const fenceProgramSchema = z
  .string()
  .regex(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/, "must be the name of a file, without a folder")
  .refine((name) => name !== "none", "must not be none");

/** What a host is to have. */
export const datastoreDefinitionSchema = z.object({
  name: nameSchema,
  /** Whether other hosts see the same storage. */
  shared: z.boolean(),
  source: datastoreSourceSchema,
  /** Of an iSCSI target with CHAP: only on its way to a host, and kept there. */
  chapSecret: chapSecretSchema.optional(),
  /** Of a LUN: whether its hosts register with it for SCSI-3 persistent reservations. Absent: they do not. */
  reservations: z.boolean().optional(),
});
export type DatastoreDefinition = z.infer<typeof datastoreDefinitionSchema>;

/** All that the inventory defines for one host. */
export const datastoreListSchema = z.object({
  datastores: z.array(datastoreDefinitionSchema).max(mostOfHost.datastores),
});
export type DatastoreList = z.infer<typeof datastoreListSchema>;

export const newDatastoreSchema = z
  .strictObject({
    name: nameSchema,
    shared: z.boolean(),
    source: newSourceSchema,
    /** Absent: every host, also those that join later. */
    hosts: z.array(nameSchema).min(1).max(1000).optional(),
  })
  .refine(
    ({ shared, source }) => shared || source.kind === "directory",
    "what a server on the network has is shared storage",
  );
export type NewDatastore = z.infer<typeof newDatastoreSchema>;

/**
 * Of a datastore on a host. `available`: in use as it is defined. `unavailable`: applied, and cannot be used. `notApplied`: the host
 * has it not, or otherwise than it is defined. `unknown`: the host does not answer. `notDefined`: the host has it by its own
 * configuration, and the inventory does not.
 */
const hostStateSchema = z.enum(["available", "unavailable", "notApplied", "unknown", "notDefined"]);

/**
 * That a host was fenced at a datastore by its fence program. `revoking`: the program has begun, and did not succeed: the host may still have its access,
 * or a part of it. `revoked`: it has none. `restoring`: the program was to give it back, and did not succeed.
 */
export const accessRevokedSchema = z.object({
  state: z.enum(["revoking", "revoked", "restoring"]),
  since: z.iso.datetime(),
  /** What the program said last where it did not succeed, the end of a sentence; null: nothing is against it. */
  reason: z.string().nullable(),
  /** Whether the server knows which boot was fenced. If not, an operator gives the access back after a restart. Absent: a server that does not tell. */
  isBootKnown: z.boolean().optional(),
});

export type AccessRevoked = z.infer<typeof accessRevokedSchema>;

export const datastoreOnHostSchema = z.object({
  host: nameSchema,
  state: hostStateSchema,
  /** Why it is not available, a sentence's end; null: it is. */
  reason: z.string().nullable(),
  /** Where it is to be; null: the inventory does not define it for this host. */
  desired: datastoreSourceSchema.nullable(),
  /** Where the host has it; null: nowhere, or it was never told. */
  actual: datastoreSourceSchema.nullable(),
  /** As it is written on the storage; null: it was never read. */
  id: datastoreIdSchema.nullable(),
  space: z.object({ totalBytes: countSchema, freeBytes: countSchema }).nullable(),
  /** Whether it is mounted read-only; null: not known. */
  readOnly: z.boolean().nullable(),
  /** How long the host's last look at it took; null: not known. */
  latencyMs: z.number().min(0).nullable(),
  leases: datastoreLeasesSchema.nullable(),
  /** Null: it is no LUN, or not known. */
  reservations: datastoreReservationsSchema.nullable(),
  /** The server had the storage take the host's access away. Absent: it did not, or the host has it again. */
  revoked: accessRevokedSchema.optional(),
});
export type DatastoreOnHost = z.infer<typeof datastoreOnHostSchema>;

export const datastoreViewSchema = z.object({
  name: nameSchema,
  shared: z.boolean(),
  source: datastoreSourceSchema,
  /** Whether hosts that join later get it too. */
  everyHost: z.boolean(),
  /** Null: no inventory's; a host has it by its own configuration. */
  createdAt: z.iso.datetime().nullable(),
  /** Whether its hosts register with it for SCSI-3 persistent reservations. */
  reservations: z.boolean(),
  /** The program of the server that has the storage take a host's access away. Absent: there is none. */
  fenceProgram: fenceProgramSchema.optional(),
  hosts: z.array(datastoreOnHostSchema),
  /** VMs that have something on it, by name. */
  vms: z.array(z.string()),
});
export type DatastoreView = z.infer<typeof datastoreViewSchema>;

/** What keeps a host from applying a part of what the inventory defines. */
export const datastoreRefusalSchema = z.object({ name: nameSchema, reason: z.string().max(1000) });
export type DatastoreRefusal = z.infer<typeof datastoreRefusalSchema>;

/** So many are listed of one folder. */
export const mostDatastoreEntries = 10_000;

export const datastoreEntrySchema = z.object({
  name: z.string().max(255),
  kind: z.enum(["file", "folder", "link", "other"]),
  /** Of files: how long they are, and what they take of the storage. */
  bytes: countSchema.optional(),
  allocatedBytes: countSchema.optional(),
  modifiedAt: z.iso.datetime(),
});
export type DatastoreEntry = z.infer<typeof datastoreEntrySchema>;

export const datastoreEntriesSchema = z.object({
  entries: z.array(datastoreEntrySchema).max(mostDatastoreEntries),
  /** Whether these are all. */
  isWhole: z.boolean(),
});
