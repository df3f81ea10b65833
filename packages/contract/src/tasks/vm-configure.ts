/** What is asked of a VM's CPU is written to its folder; it holds from its next power-on. */
import { z } from "zod";
import { nameSchema } from "../schemas/names.ts";
import { cpuRequestSchema } from "../schemas/vm.ts";
import { defineTask, vmReferenceSchema, vmSubject } from "./define-task.ts";

export const vmConfigure = defineTask({
  kind: "vm.configure",
  request: z.object({
    vm: vmReferenceSchema,
    datastore: nameSchema,
    host: nameSchema,
    cpu: cpuRequestSchema.nullable(),
  }),
  result: z.null(),
  fields: {},
  describe: ({ vm }) => `change the CPU settings of VM ${vm.name}`,
  concerns: ({ vm, host }) => ({ subject: vmSubject(vm), hosts: [host] }),
  steps: { write: ({ datastore }) => `write the VM's description to its folder on ${datastore}` },
  cancellable: false,
});
