/** A VM's description is changed in its folder and, where it runs, what can change while it runs. */
import { z } from "zod";
import { nameSchema } from "../schemas/names.ts";
import { cpuRequestSchema } from "../schemas/vm.ts";
import { vmBasisSchema } from "../schemas/vm-basis.ts";
import { drivesOf, vmChangesSchema } from "../schemas/vm-changes.ts";
import { defineTask, vmReferenceSchema, vmSubject } from "./define-task.ts";

export const vmConfigure = defineTask({
  kind: "vm.configure",
  request: z.object({
    vm: vmReferenceSchema,
    datastore: nameSchema,
    host: nameSchema,
    /** Absent: of an earlier version. */
    changes: vmChangesSchema.optional(),
    /** Absent: not checked. */
    basis: vmBasisSchema.optional(),
    /** Of a task that an earlier version began: all that could be changed then. */
    cpu: cpuRequestSchema.nullable().optional(),
  }),
  result: z.null(),
  fields: {},
  describe: ({ vm }) => `change the settings of VM ${vm.name}`,
  concerns: ({ vm, host, datastore, changes }) => ({
    subject: vmSubject(vm),
    hosts: [host],
    datastores: [datastore, ...drivesOf(changes ?? {}).flatMap(({ medium }) => medium?.datastore ?? [])],
  }),
  steps: { write: ({ datastore }) => `write the VM's description to its folder on ${datastore}` },
  cancellable: false,
});
