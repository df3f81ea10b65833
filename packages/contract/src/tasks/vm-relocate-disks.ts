/** Disks of a VM come to lie on another datastore, while it runs or at rest. Its host stays the same. */
import { z } from "zod";
import { copyRateSchema } from "../schemas/disk-relocation.ts";
import { imageCopySchema } from "../schemas/image-copy.ts";
import { nameSchema } from "../schemas/names.ts";
import { defineTask, vmReferenceSchema, vmSubject } from "./define-task.ts";

export const vmRelocateDisks = defineTask({
  kind: "vm.relocateDisks",
  request: z.object({
    vm: vmReferenceSchema,
    host: nameSchema,
    /** Where the VM's folder lies. */
    home: nameSchema,
    disks: z.array(nameSchema),
    /** The datastore that they are to lie on. */
    to: nameSchema,
    bytesPerSecond: copyRateSchema,
    /** Of the disks there; absent: as they are, and raw where disks are volumes. */
    format: z.enum(["qcow2", "raw"]).optional(),
    /** Hosts that see all that the VM needs now, and not this datastore: the VM cannot move there afterwards. */
    unseenBy: z.array(nameSchema),
  }),
  result: z.object({ disks: z.array(nameSchema), to: nameSchema }),
  fields: {
    /** How far the copy of a disk is; null: none is copied just now. */
    progress: imageCopySchema.nullable(),
  },
  describe: ({ vm, disks, to }) =>
    `move ${disks.length === 1 ? "disk" : "disks"} ${disks.join(", ")} of VM ${vm.name} to datastore ${to}`,
  concerns: ({ vm, host, home, to }) => ({ subject: vmSubject(vm), hosts: [host], datastores: [home, to] }),
  steps: { move: ({ disks, to }) => `move ${disks.join(", ")} to ${to}` },
  cancellable: true,
});
