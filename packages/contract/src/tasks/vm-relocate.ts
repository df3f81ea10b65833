/** A stopped VM's host becomes another one. Its files are on shared storage: nothing is copied. */
import { z } from "zod";
import { nameSchema } from "../schemas/names.ts";
import { defineTask, vmReferenceSchema, vmSubject } from "./define-task.ts";

export const vmRelocate = defineTask({
  kind: "vm.relocate",
  request: z.object({ vm: vmReferenceSchema, to: nameSchema }),
  result: z.object({ host: nameSchema }),
  fields: {},
  describe: ({ vm, to }) => `make ${to} the host of VM ${vm.name}, which is stopped`,
  concerns: ({ vm, to }) => ({ subject: vmSubject(vm), arrivesAt: to, hosts: [to] }),
  steps: { enter: ({ to }) => `enter ${to} as the VM's host` },
  cancellable: false,
});
