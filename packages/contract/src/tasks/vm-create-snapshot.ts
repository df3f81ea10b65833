/** A snapshot of a VM is created, while it runs or at rest. */
import { z } from "zod";
import { nameSchema } from "../schemas/names.ts";
import { snapshotOrderSchema } from "../schemas/snapshot.ts";
import { defineTask, vmReferenceSchema, vmSubject } from "./define-task.ts";

export const vmCreateSnapshot = defineTask({
  kind: "vm.createSnapshot",
  request: z.object({
    vm: vmReferenceSchema,
    host: nameSchema,
    /** Where the VM's folder lies. */
    home: nameSchema,
    snapshot: snapshotOrderSchema.shape.snapshot,
  }),
  result: z.object({ snapshot: nameSchema }),
  fields: {},
  describe: ({ vm, snapshot }) =>
    `create snapshot ${snapshot.name} of VM ${vm.name}${snapshot.memory ? ", with its memory" : ""}`,
  concerns: ({ vm, host, home }) => ({ subject: vmSubject(vm), hosts: [host], datastores: [home] }),
  steps: { create: ({ snapshot }) => `create snapshot ${snapshot.name}` },
  cancellable: false,
});
