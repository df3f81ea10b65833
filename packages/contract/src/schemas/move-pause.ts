/** Where the time went in which a moving VM's vCPUs stood still. */
import { z } from "zod";

/**
 * Where the pause of the vCPUs went, in ms. The times within a host are compared on its wall clock, which QEMU stamps
 * its events with; `commitTravelMs` is half of what a commit and its answer took beyond the destination's own part, so
 * that the two hosts' clocks are never compared. Null: not measured (a lost event, an agent that was restarted).
 */
export const movePauseSchema = z.object({
  /** From the decision to switch to QEMU's STOP: the guest still runs. Null where QEMU stopped it by itself. */
  decisionMs: z.number().nullable(),
  /** STOP to QEMU's `pre-switchover`: the last pages, but for those that go with the device state. */
  lastPagesMs: z.number().nullable(),
  /** `pre-switchover` to `device`: the source's agent decides that the switch may go on. */
  vetoMs: z.number().nullable(),
  /** `device` to `completed`: the device state is sent, loaded at the destination and acknowledged. */
  deviceStateMs: z.number().nullable(),
  /** `completed` (in a post-copy: the destination's word that it is ready) to the commit on its way. */
  commitMs: z.number().nullable(),
  /** The commit's way to the destination's agent. */
  commitTravelMs: z.number().nullable(),
  /** The commit's arrival to `cont` on its way. */
  contMs: z.number().nullable(),
  /** `cont` to QEMU's RESUME: the guest runs. */
  resumeMs: z.number().nullable(),
  /** RESUME to the first announcement of the VM's addresses: the guest runs already. */
  announceMs: z.number().nullable(),
});
export type MovePause = z.infer<typeof movePauseSchema>;
