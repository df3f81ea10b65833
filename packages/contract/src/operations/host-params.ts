/** The host that an operation is about, in its path. */
import { z } from "zod";

export const hostParams = z.strictObject({ host: z.string().min(1).max(63) });
