/** A VM is reset, as by its reset button: its guest starts again in the same QEMU. */
import { z } from "zod";
import { nameSchema } from "../schemas/names.ts";
import { vmStateSchema } from "../schemas/vm-view.ts";
import { defineTask, vmReferenceSchema, vmSubject } from "./define-task.ts";

export const vmReset = defineTask({
  kind: "vm.reset",
  request: z.object({
    vm: vmReferenceSchema,
    host: nameSchema,
    /** Where its pool resets it because its guest hangs. */
    hang: z.object({ pool: nameSchema, silentSeconds: z.number() }).optional(),
  }),
  result: z.object({ host: nameSchema, state: vmStateSchema }),
  fields: {},
  describe: ({ vm, host }) => `reset VM ${vm.name} on host ${host}`,
  concerns: ({ vm, host }) => ({ subject: vmSubject(vm), hosts: [host] }),
  steps: { reset: ({ host }) => `reset the VM on ${host}` },
  cancellable: false,
});
