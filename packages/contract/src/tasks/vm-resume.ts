/** A VM's vCPUs are let run, whatever stopped them. */
import { z } from "zod";
import { nameSchema } from "../schemas/names.ts";
import { vmStateSchema } from "../schemas/vm-view.ts";
import { defineTask, vmReferenceSchema, vmSubject } from "./define-task.ts";

export const vmResume = defineTask({
  kind: "vm.resume",
  request: z.object({ vm: vmReferenceSchema, host: nameSchema }),
  result: z.object({ host: nameSchema, state: vmStateSchema }),
  fields: {},
  describe: ({ vm, host }) => `resume VM ${vm.name} on host ${host}`,
  concerns: ({ vm, host }) => ({ subject: vmSubject(vm), hosts: [host] }),
  steps: { resume: ({ host }) => `resume the VM on ${host}` },
  cancellable: false,
});
