/**
 * What the two agents say to each other about one move. Messages may be lost, doubled, late or
 * out of order; every one may be repeated without harm.
 */
import {
  hostMoveCpuSchema,
  ipAddressSchema,
  memoryWaitSchema,
  moveOrderSchema,
  pauseReasonSchema,
  portSchema,
  problemSchema,
} from "@godwit/contract";
import { z } from "zod";

/** A message that the other side does not know, or whose content it cannot read. It is never answered itself. */
const notUnderstoodSchema = z.object({
  type: z.literal("notUnderstood"),
  /** The type of the message, as far as it could be read. */
  message: z.string(),
  problem: problemSchema,
});

export const toDestinationSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("prepare"), order: moveOrderSchema }),
  /** The source has sent what the guest needs to run, and will not run the VM again unless the destination gives it up. */
  z.object({
    type: z.literal("commit"),
    /** Why the guest stood still before the switch, on its own account: it is not let run then. Absent: it ran. */
    pauseReason: pauseReasonSchema.optional(),
  }),
  /** The source takes the VM back, or has lost it; after `commit` only when the destination is known not to run it. */
  z.object({ type: z.literal("abandon") }),
  /** The source's QEMU is gone, and whether a commit was sent is not known: who has had none gives up. */
  z.object({ type: z.literal("sourceQemuLost") }),
  /** The source has removed its copy and released its lease. */
  z.object({ type: z.literal("sourceCleanedUp") }),
  /** The stream of a post-copy is broken at the source: listen again for it. */
  z.object({ type: z.literal("recover") }),
  notUnderstoodSchema,
]);
export type ToDestination = z.infer<typeof toDestinationSchema>;

/** The destination's part of the pause, in ms of its own clock; null: not measured. */
const startTimesSchema = z.object({ contMs: z.number().nullable(), resumeMs: z.number().nullable() });
export type StartTimes = z.infer<typeof startTimesSchema>;

export const toSourceSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("prepared"),
    address: ipAddressSchema,
    port: portSchema,
    /**
     * The number of the certificate that its QEMU shows there: its agent may have a newer one since. Versions that do not
     * tell it show the agent's.
     */
    certificate: z.number().int().min(0).optional(),
    /** Where its QEMU takes the disks (NBD), of a move that carries them. */
    disksPort: portSchema.optional(),
    /** Its QEMU cannot receive a post-copy, for this reason, and is set for none; only where the order permits that. */
    postcopyLeftOut: z.string().optional(),
  }),
  /**
   * The vCPUs run here, with all their memory; or stand still here, as they did at the source. `commitToResumeMs` is from the commit's arrival to this message; of a
   * move that had ended before, 0.
   */
  z.object({
    type: z.literal("running"),
    commitToResumeMs: z.number(),
    start: startTimesSchema.optional(),
    waited: memoryWaitSchema.optional(),
  }),
  /** Post-copy: the guest can run here as soon as there is a commit; what is missing of its memory would follow. */
  z.object({ type: z.literal("ready") }),
  /** The vCPUs run here, and what is missing of their memory still comes from the source (post-copy). */
  z.object({
    type: z.literal("postcopyReceiving"),
    commitToResumeMs: z.number(),
    start: startTimesSchema.optional(),
  }),
  /** As `postcopyReceiving`, but the stream is broken. */
  z.object({ type: z.literal("streamLost") }),
  /**
   * The VM's addresses were announced for the first time, so long after the guest ran; and what the move took of the host's
   * CPU until then. For the record only.
   */
  z.object({ type: z.literal("announced"), announceMs: z.number(), cpu: hostMoveCpuSchema.optional() }),
  /** It listens again, for the rest of a post-copy. */
  z.object({ type: z.literal("recovering"), address: ipAddressSchema, port: portSchema }),
  /** It never ran and never will: its QEMU is ended, or is when the copy is. Whatever the source sends later is ignored. */
  z.object({ type: z.literal("gaveUp"), problem: problemSchema }),
  /** Its QEMU is ended and, if a commit had been sent, may have run: an older copy must not go on then. */
  z.object({ type: z.literal("died"), problem: problemSchema }),
  notUnderstoodSchema,
]);
export type ToSource = z.infer<typeof toSourceSchema>;
