/** What went wrong, as a part of a sentence. */
import { GodwitError } from "@godwit/contract";

/** Without its full stop. */
export const reasonOf = (error: unknown): string =>
  (GodwitError.is(error) ? error.message : String(error)).replace(/\.$/, "");
