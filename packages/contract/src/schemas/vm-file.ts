/** What a host finds in the place of VMs' `vm.json`, which others than Godwit can write. */
import { z } from "zod";
import { nameSchema, vmIdSchema } from "./names.ts";

/** So many in one call. */
export const mostVmFiles = 500;

export const vmFilesQuestionSchema = z.strictObject({
  vms: z.array(z.strictObject({ id: vmIdSchema, name: nameSchema, datastore: nameSchema })).max(mostVmFiles),
});
export type VmFilesQuestion = z.infer<typeof vmFilesQuestionSchema>;

/** `unread`: the storage did not answer, which says nothing of the file. */
const vmFileStateSchema = z.enum(["valid", "broken", "unread"]);

export const vmFilesAnswerSchema = z.object({
  vms: z
    .array(
      z.object({
        id: vmIdSchema,
        state: vmFileStateSchema,
        /** Of one that is broken: where it is, and what is wrong with it. */
        path: z.string().max(4096).optional(),
        reason: z.string().max(4096).optional(),
      }),
    )
    .max(mostVmFiles),
});
export type VmFilesAnswer = z.infer<typeof vmFilesAnswerSchema>;
export type VmFileLook = VmFilesAnswer["vms"][number];
