/** A stopped VM is exported as an OVA, a file on a datastore. */
import { z } from "zod";
import { imageCopySchema } from "../schemas/image-copy.ts";
import { nameSchema } from "../schemas/names.ts";
import { exportPlaceSchema, vmExportedSchema } from "../schemas/vm-export.ts";
import { defineTask, vmReferenceSchema, vmSubject } from "./define-task.ts";

export const vmExport = defineTask({
  kind: "vm.export",
  request: z.object({
    vm: vmReferenceSchema,
    /** Where its folder lies. */
    home: nameSchema,
    host: nameSchema,
    to: exportPlaceSchema,
  }),
  result: vmExportedSchema.extend({ host: nameSchema }),
  fields: {
    /** How far the conversion of a disk is; null: none is converted just now. */
    progress: imageCopySchema.nullable(),
  },
  describe: ({ vm, to }) => `export VM ${vm.name} to ${to.datastore}:${to.path}`,
  concerns: ({ vm, home, to, host }) => ({
    subject: vmSubject(vm),
    hosts: [host],
    datastores: [home, to.datastore],
  }),
  steps: { export: ({ to }) => `write ${to.path} to datastore ${to.datastore}` },
  cancellable: false,
});
