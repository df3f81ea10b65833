/** A VM that is suspended to disk: it has no process, and its memory is in a file in its folder. */
import { z } from "zod";
import { nameSchema } from "./names.ts";
import { snapshotMemorySchema } from "./snapshot.ts";

/** A disk's file when the VM was suspended. Who has written to it since has made it another disk. */
const diskThenSchema = z.strictObject({
  name: nameSchema,
  bytes: z.int().min(0),
  /** Nanoseconds since 1970, as a decimal number. */
  modifiedNs: z.string().regex(/^\d{1,20}$/),
});

export const suspensionSchema = z.strictObject({
  id: z.uuid(),
  suspendedAt: z.iso.datetime(),
  /** It was paused, and is again when it goes on. Absent: it ran. */
  paused: z.literal(true).optional(),
  memory: snapshotMemorySchema,
  /** Of disks that are files. */
  disks: z.array(diskThenSchema).max(24),
});
export type Suspension = z.infer<typeof suspensionSchema>;

/** Where the memory of a VM that is suspended is, relative to its datastore. */
export const suspendedMemoryPath = (vm: string): string => `${vm}/.suspended-memory`;
