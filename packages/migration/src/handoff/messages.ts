/**
 * What the two agents say to each other about one move. Messages may be lost, doubled, late or
 * out of order; every one may be repeated without harm.
 */
import { moveOrderSchema, problemSchema } from "@godwit/contract";
import { z } from "zod";

export const toDestinationSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("prepare"), order: moveOrderSchema }),
  /** The source has sent everything and will not run the VM again unless the destination gives it up. */
  z.object({ type: z.literal("commit") }),
  /** The source takes the VM back; never sent after `commit`. */
  z.object({ type: z.literal("abandon") }),
  /** The source's QEMU is gone, and whether a commit was sent is not known: who has had none gives up. */
  z.object({ type: z.literal("gone") }),
  /** The source has removed its copy and released its lease. */
  z.object({ type: z.literal("left") }),
]);
export type ToDestination = z.infer<typeof toDestinationSchema>;

export const toSourceSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("prepared"), address: z.string(), port: z.int() }),
  /** The vCPUs run here. `commitToResumeMs` is from the commit's arrival to QEMU's RESUME. */
  z.object({ type: z.literal("running"), commitToResumeMs: z.number() }),
  /** Its QEMU is ended and never ran; whatever the source sends later is ignored. */
  z.object({ type: z.literal("gaveUp"), problem: problemSchema }),
  /** Its QEMU is ended and, if a commit had been sent, may have run: an older copy must not go on then. */
  z.object({ type: z.literal("died"), problem: problemSchema }),
]);
export type ToSource = z.infer<typeof toSourceSchema>;
