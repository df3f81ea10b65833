/** What an agent is asked when disks of a VM are to lie on another datastore. */
import { z } from "zod";
import { nameSchema } from "./names.ts";

/** How fast a disk is copied at most; null: as fast as the storage gives. */
export const copyRateSchema = z.number().min(1).max(Number.MAX_SAFE_INTEGER).nullable();

export const diskRelocationSchema = z.strictObject({
  /** The VM's own datastore, and its name: where its folder lies. */
  datastore: nameSchema,
  name: nameSchema,
  /** By name, in the order in which they are moved. */
  disks: z.array(nameSchema).min(1).max(24),
  to: nameSchema,
  bytesPerSecond: copyRateSchema,
  /** Of the disks there; absent: as they are, and raw where disks are volumes. */
  format: z.enum(["qcow2", "raw"]).optional(),
});
export type DiskRelocation = z.infer<typeof diskRelocationSchema>;
