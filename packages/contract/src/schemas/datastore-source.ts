/** Where a datastore is: one place a kind. */
import { z } from "zod";

/** A folder, as it may stand in a definition: absolute, of plain names, without `.` and `..`. */
export const datastoreFolderSchema = z
  .string()
  .max(200)
  .regex(/^(?:\/[A-Za-z0-9._-]+)+$/, "must be an absolute path of plain names")
  .refine((path) => !/\/\.{1,2}(?:\/|$)/.test(path), "must not contain . or ..");

/** As hosts report it and as it is kept: what an agent's configuration names may have other characters. */
const knownFolder = z
  .string()
  .max(4096)
  .regex(/^\/[^\0\n]*$/, "must be an absolute path");

/** A host name, or an address without brackets. */
const nfsServerSchema = z
  .union([z.ipv4(), z.ipv6(), z.hostname()], "must be a host name or an IP address")
  .refine((server) => server.length <= 253, "is too long");

/** Absent: the newest that both sides know. */
const nfsVersionSchema = z.enum(["3", "4.0", "4.1", "4.2"]).optional();

/**
 * Where a datastore is. `directory`: a folder of the host, local or with storage mounted there by its administrator. `nfs`: a
 * folder that an NFS server exports; the host's agent mounts it.
 */
export const datastoreSourceSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("directory"), path: knownFolder }),
  z.object({
    kind: z.literal("nfs"),
    server: nfsServerSchema,
    path: datastoreFolderSchema,
    version: nfsVersionSchema,
  }),
]);
export type DatastoreSource = z.infer<typeof datastoreSourceSchema>;
export type DatastoreKind = DatastoreSource["kind"];
export type NfsSource = Extract<DatastoreSource, { kind: "nfs" }>;

/** As an operator may define it. */
export const newSourceSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("directory"), path: datastoreFolderSchema }),
  z.strictObject({
    kind: z.literal("nfs"),
    server: nfsServerSchema,
    path: datastoreFolderSchema,
    version: nfsVersionSchema,
  }),
]);

/** Whether two places are the same. */
export const isSameSource = (a: DatastoreSource, b: DatastoreSource): boolean =>
  a.kind === b.kind &&
  a.path === b.path &&
  (a.kind !== "nfs" || b.kind !== "nfs" || (a.server === b.server && a.version === b.version));

/** A place in one line; of NFS as `mount` takes it. */
export const sourceText = (source: DatastoreSource): string =>
  source.kind === "directory"
    ? source.path
    : `${source.server.includes(":") ? `[${source.server}]` : source.server}:${source.path}`;
