/**
 * When what rasdaemon has recorded was, where it is dated by a clock that was wrong: its rows have ascending numbers. Rows that were there when an
 * earlier boot was looked at last are of before this one, and rows that came after the first look of this one are of it by that, and not by their dates.
 * What was known last is kept in a file, and outlives the agent and the boot.
 */
import { readFileOrNull, writeFileAtomic } from "@godwit/system";
import { z } from "zod";

export const rasTables = ["mc_event", "mce_record"] as const;
export type RasTable = (typeof rasTables)[number];

const numbersSchema = z.object({ mc_event: z.int().min(0), mce_record: z.int().min(0) });
/** Of each table the highest number. */
export type RasNumbers = z.infer<typeof numbersSchema>;

const orderSchema = z.object({
  version: z.literal(1),
  bootId: z.string().max(64),
  /** At the last look of an earlier boot. */
  before: numbersSchema,
  /** At the first look of this boot. */
  start: numbersSchema,
  /** At the last look. */
  seen: numbersSchema,
});
export type RasOrder = z.infer<typeof orderSchema>;

/** What is known after a look. @param last null: nobody has looked before */
export function rasOrder(last: RasOrder | null, bootId: string, newest: RasNumbers): RasOrder {
  const isSameBoot = last?.bootId === bootId;
  const of = (table: RasTable) => {
    const seen = newest[table];
    // Without an earlier look, and where the database was made again, its numbers tell nothing yet.
    if (last === null || seen < last.seen[table]) return { before: 0, start: seen, seen };
    return isSameBoot
      ? { before: last.before[table], start: last.start[table], seen }
      : { before: last.seen[table], start: seen, seen };
  };
  const [memory, checks] = [of("mc_event"), of("mce_record")];
  const both = (key: "before" | "start" | "seen"): RasNumbers => ({
    mc_event: memory[key],
    mce_record: checks[key],
  });
  return { version: 1, bootId, before: both("before"), start: both("start"), seen: both("seen") };
}

/** One that cannot be read counts as none. */
export async function readRasOrder(file: string): Promise<RasOrder | null> {
  try {
    const parsed = orderSchema.safeParse(JSON.parse((await readFileOrNull(file)) ?? "null"));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

export async function writeRasOrder(file: string, order: RasOrder): Promise<void> {
  await writeFileAtomic(file, JSON.stringify(order));
}
