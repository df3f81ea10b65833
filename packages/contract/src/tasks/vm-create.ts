/** A VM's folder and disks are created on a datastore, and the VM is entered in the inventory. */
import { z } from "zod";
import { cloudInitSummarySchema } from "../schemas/cloud-init.ts";
import { imageCopySchema } from "../schemas/image-copy.ts";
import { nameSchema, vmIdSchema } from "../schemas/names.ts";
import { datastoresOf, imageDatastores, vmDescriptionSchema } from "../schemas/vm.ts";
import { defineTask, vmReferenceSchema, vmSubject } from "./define-task.ts";

export const vmCreate = defineTask({
  kind: "vm.create",
  request: z.object({
    id: vmIdSchema,
    description: vmDescriptionSchema,
    host: nameSchema,
    /** How much the guest is told by cloud-init; what, is in no task. Absent: nothing. */
    cloudInit: cloudInitSummarySchema.optional(),
  }),
  result: z.object({ vm: vmReferenceSchema, host: nameSchema }),
  fields: {
    /** How far the copy of an image is; null: none is copied just now. Absent: an earlier version's task. */
    progress: imageCopySchema.optional().nullable(),
  },
  describe: ({ description }) => `create VM ${description.name} on datastore ${description.datastore}`,
  concerns: ({ id, description, host }) => ({
    subject: vmSubject({ id, name: description.name }),
    newVmName: description.name,
    arrivesAt: host,
    hosts: [host],
    datastores: [...datastoresOf(description), ...imageDatastores(description)],
  }),
  steps: { create: ({ description }) => `create the VM's folder and disks on ${description.datastore}` },
  cancellable: false,
});
