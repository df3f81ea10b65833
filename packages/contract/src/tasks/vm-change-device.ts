/** A disk or a NIC of a VM is added, removed or changed, while it runs or at rest. */
import { z } from "zod";
import { changeInWords, deviceChangeSchema } from "../schemas/device-changes.ts";
import { imageCopySchema } from "../schemas/image-copy.ts";
import { nameSchema } from "../schemas/names.ts";
import { keptDiskSchema } from "../schemas/vm.ts";
import { defineTask, vmReferenceSchema, vmSubject } from "./define-task.ts";

export const vmChangeDevice = defineTask({
  kind: "vm.changeDevice",
  request: z.object({
    vm: vmReferenceSchema,
    host: nameSchema,
    /** Where the VM's folder lies. */
    home: nameSchema,
    change: deviceChangeSchema,
  }),
  result: z.object({
    /** The image of a disk that was removed and stays on its datastore; null: there is none. */
    kept: keptDiskSchema.nullable(),
  }),
  fields: {
    /** How far the copy of an image is; null: none is copied just now. */
    progress: imageCopySchema.nullable(),
  },
  describe: ({ vm, change }) => `${changeInWords(change)} VM ${vm.name}`,
  concerns: ({ vm, host, home, change }) => ({
    subject: vmSubject(vm),
    hosts: [host],
    datastores: [
      home,
      ...(change.what === "addDisk"
        ? [change.disk.datastore, change.disk.imageDatastore].filter((name) => name !== undefined)
        : []),
    ],
  }),
  steps: { kept: null, change: ({ vm, change }) => `${changeInWords(change)} VM ${vm.name}` },
  /** While a disk is made: its image copied, its volume zeroed. What takes no time is done all the same. */
  cancellable: true,
});
