/** What the load's process and its owner say to each other. */
import { z } from "zod";

/** From and to, milliseconds since 1970. */
export const windowSchema = z.tuple([z.number(), z.number()]);
export type Window = z.infer<typeof windowSchema>;

/** Lines to the load's process: make a new connection; or end, read everything back, and report. */
export const loadOrderSchema = z.union([
  z.object({ reconnect: z.literal(true) }),
  z.object({ windows: z.array(windowSchema) }),
]);

export const loadReportSchema = z.object({
  /** TCP connections that were made; one, unless the first broke. */
  connections: z.int(),
  reconnects: z.int(),
  acknowledged: z.int(),
  /** Acknowledged, but not there when everything was read back. */
  lost: z.int(),
  /** There more often than it was written. */
  duplicated: z.int(),
  /** Between two acknowledgements, ms, over the whole run. */
  longestGapMs: z.number(),
  probes: z.int(),
  windows: z.array(
    z.object({
      /** The longest time without an answer to the 1 ms probe, ms. */
      outageMs: z.number(),
      /** The same between two acknowledged writes, ms. */
      writeGapMs: z.number(),
    }),
  ),
});
export type LoadReport = z.infer<typeof loadReportSchema>;
