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

/** Where a datastore is. `directory`: a folder of the host, local or with storage mounted there by its administrator. */
export const datastoreSourceSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("directory"), path: knownFolder }),
]);
export type DatastoreSource = z.infer<typeof datastoreSourceSchema>;
export type DatastoreKind = DatastoreSource["kind"];

/** As an operator may define it. */
export const newSourceSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("directory"), path: datastoreFolderSchema }),
]);

/** Whether two places are the same. */
export const isSameSource = (a: DatastoreSource, b: DatastoreSource): boolean => a.path === b.path;

/** A place in one line. */
export const sourceText = (source: DatastoreSource): string => source.path;
