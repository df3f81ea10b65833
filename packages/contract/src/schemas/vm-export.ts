/** The export of a VM as an OVA: what is asked, and what comes of it. */
import { z } from "zod";
import { datastorePathSchema } from "./datastore-path.ts";
import { nameSchema, taskIdSchema } from "./names.ts";

/** Where the OVA is to lie: a file that is not there yet, in a folder that is. */
export const exportPlaceSchema = z.strictObject({
  datastore: nameSchema,
  path: datastorePathSchema.regex(/\.ova$/, "must end with .ova"),
});
export type ExportPlace = z.infer<typeof exportPlaceSchema>;

/** What an agent is asked. */
export const vmExportSchema = z.strictObject({
  /** Asked again with the same id, it answers the same. */
  id: taskIdSchema,
  /** The VM's own datastore, and its name. */
  datastore: nameSchema,
  name: nameSchema,
  to: exportPlaceSchema,
});
export type VmExport = z.infer<typeof vmExportSchema>;

const sentence = z.string().max(1000);

export const vmExportedSchema = z.object({
  /** Of the OVA. */
  bytes: z.int().min(0),
  notCarried: z.array(z.object({ what: sentence, reason: sentence })).max(500),
});
export type VmExported = z.infer<typeof vmExportedSchema>;
