/** A stopped VM's folder and disks are deleted, and the VM leaves the inventory. */
import { z } from "zod";
import { nameSchema } from "../schemas/names.ts";
import { disksToDeleteSchema, keptDiskSchema } from "../schemas/vm.ts";
import { defineTask, vmReferenceSchema, vmSubject } from "./define-task.ts";

export const vmDelete = defineTask({
  kind: "vm.delete",
  request: z.object({
    ...{ vm: vmReferenceSchema, datastore: nameSchema, host: nameSchema },
    /** Absent: a task of before images could be kept. */
    disks: disksToDeleteSchema.optional(),
  }),
  /** Disks that stay on their datastores, by their paths there. */
  result: z.object({ kept: z.array(keptDiskSchema) }),
  fields: {},
  describe: ({ vm, datastore }) => `delete VM ${vm.name} from datastore ${datastore}`,
  concerns: ({ vm, host }) => ({ subject: vmSubject(vm), hosts: [host] }),
  steps: {
    kept: null,
    delete: ({ datastore }) => `delete the VM's folder and disks on ${datastore}`,
  },
  cancellable: false,
});
