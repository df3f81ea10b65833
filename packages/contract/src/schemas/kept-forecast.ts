/** A forecast as it is kept with its move. */
import { z } from "zod";
import { moveForecastSchema } from "./objective.ts";

export const keptForecastSchema = moveForecastSchema
  .pick({ ends: true, totalMs: true, bytes: true, pauseMs: true, slowdown: true })
  .extend({
    /** The middle of each figure as the model told it, without what earlier moves have taught. */
    uncorrected: z.object({ totalMs: z.number(), bytes: z.number(), pauseMs: z.number() }),
    /** How many earlier moves corrected it. */
    correctedBy: z.int(),
  });
export type KeptForecast = z.infer<typeof keptForecastSchema>;
