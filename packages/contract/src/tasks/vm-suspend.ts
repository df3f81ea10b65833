/** A VM is suspended to disk: its memory is written to its folder, and its process ends. Until then it can be cancelled, and its guest runs on. */
import { z } from "zod";
import { imageCopySchema } from "../schemas/image-copy.ts";
import { nameSchema } from "../schemas/names.ts";
import { defineTask, vmReferenceSchema, vmSubject } from "./define-task.ts";

export const vmSuspend = defineTask({
  kind: "vm.suspend",
  request: z.object({
    vm: vmReferenceSchema,
    host: nameSchema,
    /** Where the VM's folder lies. */
    home: nameSchema,
  }),
  /** `bytes` of memory that were written; `leaseKept`: why the host gives the VM's lease back later; null: it is given back. */
  result: z.object({ host: nameSchema, bytes: z.int().min(0), leaseKept: z.string().nullable() }),
  fields: {
    /** How much of the memory is written; null: none is just now. */
    progress: imageCopySchema.nullable(),
  },
  describe: ({ vm, host }) => `suspend VM ${vm.name} on host ${host} to disk`,
  concerns: ({ vm, host, home }) => ({ subject: vmSubject(vm), hosts: [host], datastores: [home] }),
  steps: { suspend: ({ host }) => `write the VM's memory, and end it on ${host}` },
  cancellable: true,
});
