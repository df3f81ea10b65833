/**
 * What a move may cost its VM, for moves whose strategy is chosen while they run. A name stands for a set of bounds;
 * each bound can be given by itself.
 */
import { z } from "zod";
import type { Accelerator } from "./host-facts.ts";

/** `realtime` is never slowed down, `normal` up to half, `batch` down to a tenth. */
export const objectiveNameSchema = z.enum(["realtime", "normal", "batch"]);
export type ObjectiveName = z.infer<typeof objectiveNameSchema>;

export const postcopyUseSchema = z.enum(["never", "lastResort"]);

/** QEMU throttles to 99 % at most; 0: it never does. */
export const maxSlowdownSchema = z.number().min(0).max(0.99);
export const deadlineSchema = z.int().min(1000).max(86_400_000);

export const objectiveSchema = z.object({
  name: objectiveNameSchema,
  /** The share of the guest's time that throttling may take from it while it is copied. */
  maxSlowdown: maxSlowdownSchema,
  /** The copy ends within this time of its begin, or as not converging; null: as long as it gets better. */
  deadlineMs: deadlineSchema.nullable(),
  /** Whether the guest may go over before all its memory is there, where nothing else would end the copy. */
  postcopy: postcopyUseSchema,
});
export type Objective = z.infer<typeof objectiveSchema>;

export const objectives = {
  realtime: { maxSlowdown: 0, deadlineMs: null, postcopy: "never" },
  normal: { maxSlowdown: 0.5, deadlineMs: null, postcopy: "lastResort" },
  batch: { maxSlowdown: 0.9, deadlineMs: null, postcopy: "lastResort" },
} as const satisfies Record<ObjectiveName, Omit<Objective, "name">>;

/**
 * The longest pause that is allowed where the user names none. An emulated guest stands still longer: its
 * translated code is made again at the destination, and old QEMUs copy its memory in one round only.
 */
export const defaultMaxOutageMs = {
  realtime: { kvm: 50, tcg: 250 },
  normal: { kvm: 50, tcg: 250 },
  batch: { kvm: 500, tcg: 1000 },
} as const satisfies Record<ObjectiveName, Record<Accelerator, number>>;
