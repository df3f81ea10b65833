/** What can be changed of a VM's description; what is absent stays as it is. */
import { z } from "zod";
import { cdromMediumSchema } from "./cdrom.ts";
import { cpuAffinitySchema } from "./cpu-affinity.ts";
import { nameSchema } from "./names.ts";
import { cpuRequestSchema } from "./vm.ts";

/** `medium` absent: the one that the drive has noted. */
export const cdromChangeSchema = z.strictObject({
  name: nameSchema,
  medium: cdromMediumSchema.optional(),
  connected: z.boolean(),
});
export type CdromChange = z.infer<typeof cdromChangeSchema>;

export const vmChangesSchema = z.strictObject({
  /** Null: nothing is asked of its CPU. It holds from the next power-on. */
  cpuWish: cpuRequestSchema.nullable().optional(),
  /** Null: any CPU of its host. */
  cpuAffinity: cpuAffinitySchema.nullable().optional(),
  cdrom: cdromChangeSchema.optional(),
  /** At rest only. Without its TPM a VM keeps the TPM's state, and has it again with it. */
  tpm: z.boolean().optional(),
});
export type VmChanges = z.infer<typeof vmChangesSchema>;

/** An answer to what forbids a move. */
export const moveFixSchema = z.strictObject({
  /** What is done, an imperative sentence. */
  sentence: z.string(),
  changes: vmChangesSchema,
});
export type MoveFix = z.infer<typeof moveFixSchema>;
