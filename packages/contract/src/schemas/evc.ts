/** EVC modes, and common CPU sets that are used like them, by name. */
import { z } from "zod";

/** The key of an EVC mode or of a common CPU set, or of one revision of it: `intel-haswell`, `intel-haswell@1`. */
export const evcModeKeySchema = z
  .string()
  .regex(/^[a-z0-9]+(?:-[a-z0-9]+)+(?:@\d+)?$/, "must be the key of an EVC mode, like intel-haswell");
