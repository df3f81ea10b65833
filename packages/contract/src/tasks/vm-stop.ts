/** A VM is powered off. */
import { z } from "zod";
import { nameSchema } from "../schemas/names.ts";
import { defineTask, vmReferenceSchema, vmSubject } from "./define-task.ts";

export const vmStop = defineTask({
  kind: "vm.stop",
  request: z.object({ vm: vmReferenceSchema, host: nameSchema, graceSeconds: z.int() }),
  /** Why the host still holds the VM's lease, so that no other can start it yet; null: it is given back. */
  result: z.object({ leaseKept: z.string().nullable() }),
  fields: {},
  describe: ({ vm, host }) => `stop VM ${vm.name} on host ${host}`,
  concerns: ({ vm, host }) => ({ subject: vmSubject(vm), hosts: [host] }),
  steps: { stop: ({ host }) => `stop the VM on ${host}` },
  cancellable: false,
});
