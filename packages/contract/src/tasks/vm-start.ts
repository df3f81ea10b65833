/** A VM is powered on at a host. */
import { z } from "zod";
import { nameSchema } from "../schemas/names.ts";
import { vmStateSchema } from "../schemas/vm-view.ts";
import { defineTask, vmReferenceSchema, vmSubject } from "./define-task.ts";

export const vmStart = defineTask({
  kind: "vm.start",
  request: z.object({
    vm: vmReferenceSchema,
    host: nameSchema,
    /** A VM that is suspended to disk boots, and what it had in memory is lost. Absent: its guest goes on. */
    discardMemory: z.literal(true).optional(),
    /** Where its pool starts it again: the pool, and the host that it died on. */
    restart: z.object({ pool: nameSchema, from: nameSchema }).optional(),
  }),
  result: z.object({ host: nameSchema, state: vmStateSchema }),
  fields: {},
  describe: ({ vm, host }) => `start VM ${vm.name} on host ${host}`,
  concerns: ({ vm, host }) => ({ subject: vmSubject(vm), arrivesAt: host, hosts: [host] }),
  steps: { start: ({ host }) => `start the VM on ${host}` },
  cancellable: false,
});
