/** What an agent is asked when a VM is to be copied. */
import { z } from "zod";
import { nameSchema, vmIdSchema } from "./names.ts";

export const vmCloneSchema = z.strictObject({
  /** The VM that is copied: its own datastore, and its name. */
  datastore: nameSchema,
  name: nameSchema,
  copy: z.strictObject({
    id: vmIdSchema,
    name: nameSchema,
    /** Where all of its disks are to lie, and its folder, unless it is a LUN, which has none; null: each where the VM has its own. */
    datastore: nameSchema.nullable(),
    /** Its disks share what they have in common with those of the VM. Absent: they are copied in full. */
    linked: z.literal(true).optional(),
  }),
});
export type VmClone = z.infer<typeof vmCloneSchema>;
