/** A stopped VM's folder and disks are deleted, and the VM leaves the inventory. */
import { z } from "zod";
import { nameSchema } from "../schemas/names.ts";
import { disksToDeleteSchema } from "../schemas/vm.ts";
import { defineTask, vmReferenceSchema, vmSubject } from "./define-task.ts";

export const vmDelete = defineTask({
  kind: "vm.delete",
  request: z.object({
    ...{ vm: vmReferenceSchema, datastore: nameSchema, host: nameSchema },
    /** Absent: a task of before images could be kept. */
    disks: disksToDeleteSchema.optional(),
  }),
  result: z.null(),
  fields: {},
  describe: ({ vm, datastore }) => `delete VM ${vm.name} from datastore ${datastore}`,
  concerns: ({ vm, host }) => ({ subject: vmSubject(vm), hosts: [host] }),
  steps: { delete: ({ datastore }) => `delete the VM's folder and disks on ${datastore}` },
  cancellable: false,
});
