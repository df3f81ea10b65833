/**
 * What a move may cost its VM, for moves whose strategy is chosen while they run. A name stands for a set of bounds;
 * each bound can be given by itself.
 */
import { z } from "zod";
import { amountSchema, type Accelerator } from "./host-facts.ts";

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

/** What a running VM's memory does, as it was measured just now. */
export const vmActivitySchema = z.object({
  /** How much of it was changed within periods of different length. */
  periods: z.array(z.object({ seconds: amountSchema, changedBytes: amountSchema })).max(16),
  /**
   * How much was changed in each of short periods that follow each other, with a gap between them: what a guest that works in
   * bursts looks like. Absent: its QEMU cannot measure so short.
   */
  shape: z
    .object({
      periodMs: amountSchema,
      /** From the start of one to the start of the next, on average. */
      everyMs: amountSchema,
      changedBytes: z.array(amountSchema).max(64),
    })
    .optional(),
  /** What a copy must send at least once: memory that the guest has touched. */
  touchedBytes: amountSchema,
});
export type VmActivity = z.infer<typeof vmActivitySchema>;

const spreadSchema = z.object({ p10: z.number(), p50: z.number(), p90: z.number() });
export type Spread = z.infer<typeof spreadSchema>;

/** What a move would be like, played many times with what is known of the guest and the link. */
export const moveForecastSchema = z.object({
  /** Shares of the courses that ended so. */
  ends: z.object({ moved: z.number(), postcopy: z.number(), stayed: z.number() }),
  /** From the order to the end of the clean-up, as the move's record will tell it. */
  totalMs: spreadSchema,
  bytes: spreadSchema,
  pauseMs: spreadSchema,
  /** The share of its time that the guest loses while it is copied. */
  slowdown: spreadSchema,
  /** What is decided in the likeliest course, as sentences. */
  steps: z.array(z.string()),
});
export type MoveForecast = z.infer<typeof moveForecastSchema>;

/** How much more happened in earlier moves than the model had told: 1 is just that much. */
const forecastCorrectionSchema = z.object({
  /** How many moves it is learned from, and how many of them were this VM's. */
  moves: z.int(),
  ownMoves: z.int(),
  totalMs: spreadSchema,
  bytes: spreadSchema,
  pauseMs: spreadSchema,
  /** The middle of each figure of `auto` before the correction. */
  uncorrected: z.object({ totalMs: z.number(), bytes: z.number(), pauseMs: z.number() }),
});

export const forecastsSchema = z.object({
  maxOutageMs: z.number(),
  objective: objectiveSchema,
  activity: vmActivitySchema,
  linkBytesPerSecond: spreadSchema,
  /** How many moves between these hosts the link's spread is of; 0: it was measured just now, or is the link's own speed. */
  linkMoves: z.int(),
  /** What a move takes beside its copy: the destination is prepared, the source's copy removed. Absent: not in `totalMs`. */
  besideMs: spreadSchema.optional(),
  /** How many moves between these hosts that is of; 0: it is assumed. */
  besideMoves: z.int().optional(),
  /** Why post-copy is not used although the bounds allow it, as a move's record says it; absent: it is used, or they do not. */
  postcopyLeftOut: z.string().optional(),
  /** What earlier moves of the VM and between these hosts have taught; absent: nothing yet. */
  correction: forecastCorrectionSchema.optional(),
  /** With the bounds that were asked for. */
  auto: moveForecastSchema,
  /** The same without post-copy; null where that is not used anyway. */
  withoutPostcopy: moveForecastSchema.nullable(),
});
export type Forecasts = z.infer<typeof forecastsSchema>;
