/** A VM's vCPUs are stopped. */
import { z } from "zod";
import { nameSchema } from "../schemas/names.ts";
import { vmStateSchema } from "../schemas/vm-view.ts";
import { defineTask, vmReferenceSchema, vmSubject } from "./define-task.ts";

export const vmPause = defineTask({
  kind: "vm.pause",
  request: z.object({ vm: vmReferenceSchema, host: nameSchema }),
  result: z.object({ host: nameSchema, state: vmStateSchema }),
  fields: {},
  describe: ({ vm, host }) => `pause VM ${vm.name} on host ${host}`,
  concerns: ({ vm, host }) => ({ subject: vmSubject(vm), hosts: [host] }),
  steps: { pause: ({ host }) => `pause the VM on ${host}` },
  cancellable: false,
});
