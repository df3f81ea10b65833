/** A stopped VM is copied: a new VM with a folder, disks and MAC addresses of its own. */
import { z } from "zod";
import { imageCopySchema } from "../schemas/image-copy.ts";
import { nameSchema, vmIdSchema } from "../schemas/names.ts";
import { defineTask, vmReferenceSchema, vmSubject } from "./define-task.ts";

export const vmClone = defineTask({
  kind: "vm.clone",
  request: z.object({
    /** The one that is copied. */
    vm: vmReferenceSchema,
    /** Where its folder lies. */
    home: nameSchema,
    host: nameSchema,
    copy: z.object({
      id: vmIdSchema,
      name: nameSchema,
      datastore: nameSchema.nullable(),
      /** Absent: its disks are copied in full. */
      linked: z.literal(true).optional(),
    }),
  }),
  /** The new VM. */
  result: z.object({ vm: vmReferenceSchema, host: nameSchema }),
  fields: {
    /** How far the copy of a disk is; null: none is copied just now. */
    progress: imageCopySchema.nullable(),
  },
  describe: ({ vm, copy }) =>
    `copy VM ${vm.name} to a new VM ${copy.name}${copy.linked === true ? " with linked disks" : ""}`,
  concerns: ({ vm, home, copy, host }) => ({
    subject: vmSubject(vm),
    newVmName: copy.name,
    arrivesAt: host,
    hosts: [host],
    datastores: [home, ...(copy.datastore === null ? [] : [copy.datastore])],
  }),
  steps: { copy: ({ copy }) => `copy the disks to the folder of ${copy.name}` },
  /** While disks are copied; a copy that is made by then stays. */
  cancellable: true,
});
