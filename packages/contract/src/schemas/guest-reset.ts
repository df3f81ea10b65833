/** Guests that hang: what is seen of one, and when a pool resets it. */
import { z } from "zod";
import { vmIdSchema } from "./names.ts";

export const guestResetPolicySchema = z.strictObject({
  /** So long the guest agent must not have answered, and the guest neither used a disk nor sent a packet. */
  silenceSeconds: z.int().min(10).max(3600),
  /** So long a guest is left alone after it was started, moved, resumed or reset. */
  graceSeconds: z.int().min(10).max(7200),
  /** Within an hour; then an operator is needed. */
  mostResets: z.int().min(1).max(20),
});
export type GuestResetPolicy = z.infer<typeof guestResetPolicySchema>;

/** As vSphere's VM Monitoring with medium sensitivity: a minute, two minutes, three. */
export const usualGuestReset: GuestResetPolicy = { silenceSeconds: 60, graceSeconds: 120, mostResets: 3 };

export const guestWatchOrderSchema = z.strictObject({ vms: z.array(vmIdSchema).max(10_000) });

/** What a host sees of a guest that it watches. Spans end with the newest look. */
export const guestSignsSchema = z.object({
  id: vmIdSchema,
  /** How long it has been watched without a gap, since it was started, moved here, resumed or reset. */
  watchedSeconds: z.number().min(0),
  /** Whether its guest agent has answered since then. */
  hasAnswered: z.boolean(),
  /** How long its guest agent has not answered; null: it answered the newest look. */
  silentSeconds: z.number().min(0).nullable(),
  /** How long the guest has neither used a disk nor sent a packet; null: that could not be read. */
  idleSeconds: z.number().min(0).nullable(),
});
export type GuestSigns = z.infer<typeof guestSignsSchema>;
