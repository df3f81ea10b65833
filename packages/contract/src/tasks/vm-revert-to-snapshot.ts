/** A VM becomes what it was: it is powered off, its disks and description are those of a snapshot and, with memory, its guest goes on. */
import { z } from "zod";
import { nameSchema } from "../schemas/names.ts";
import { snapshotIdSchema } from "../schemas/snapshot.ts";
import { vmStateSchema } from "../schemas/vm-view.ts";
import { defineTask, vmReferenceSchema, vmSubject } from "./define-task.ts";

export const vmRevertToSnapshot = defineTask({
  kind: "vm.revertToSnapshot",
  request: z.object({
    vm: vmReferenceSchema,
    host: nameSchema,
    /** Where the VM's folder lies. */
    home: nameSchema,
    snapshot: z.object({ id: snapshotIdSchema, name: nameSchema }),
    /** Its guest goes on where it was; else the VM is stopped afterwards. */
    withMemory: z.boolean(),
  }),
  result: z.object({ snapshot: nameSchema, state: vmStateSchema }),
  fields: {},
  describe: ({ vm, snapshot }) => `revert VM ${vm.name} to snapshot ${snapshot.name}`,
  concerns: ({ vm, host, home, withMemory }) => ({
    subject: vmSubject(vm),
    ...(withMemory ? { arrivesAt: host } : {}),
    hosts: [host],
    datastores: [home],
  }),
  steps: {
    stop: () => "power the VM off",
    revert: ({ snapshot }) => `make it what it was at ${snapshot.name}`,
    start: ({ host }) => `start it on ${host} with its memory of then`,
  },
  cancellable: false,
});
