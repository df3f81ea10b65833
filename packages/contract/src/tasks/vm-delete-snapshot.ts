/** A snapshot of a VM is deleted, while it runs or at rest; what the VM is now stays. */
import { z } from "zod";
import { nameSchema } from "../schemas/names.ts";
import { snapshotIdSchema } from "../schemas/snapshot.ts";
import { defineTask, vmReferenceSchema, vmSubject } from "./define-task.ts";

export const vmDeleteSnapshot = defineTask({
  kind: "vm.deleteSnapshot",
  request: z.object({
    vm: vmReferenceSchema,
    host: nameSchema,
    /** Where the VM's folder lies. */
    home: nameSchema,
    snapshot: z.object({ id: snapshotIdSchema, name: nameSchema }),
  }),
  result: z.object({ snapshot: nameSchema }),
  fields: {},
  describe: ({ vm, snapshot }) => `delete snapshot ${snapshot.name} of VM ${vm.name}`,
  concerns: ({ vm, host, home }) => ({ subject: vmSubject(vm), hosts: [host], datastores: [home] }),
  steps: { delete: ({ snapshot }) => `delete snapshot ${snapshot.name}` },
  cancellable: false,
});
