/** A VM is powered off. */
import { z } from "zod";
import { nameSchema } from "../schemas/names.ts";
import { defineTask, vmReferenceSchema, vmSubject } from "./define-task.ts";

export const vmStop = defineTask({
  kind: "vm.stop",
  request: z.object({ vm: vmReferenceSchema, host: nameSchema, graceSeconds: z.int() }),
  result: z.null(),
  fields: {},
  describe: ({ vm, host }) => `stop VM ${vm.name} on host ${host}`,
  concerns: ({ vm, host }) => ({ subject: vmSubject(vm), hosts: [host] }),
  steps: { stop: ({ host }) => `stop the VM on ${host}` },
  cancellable: false,
});
