/** What `nft` says. */
import { GodwitError } from "@godwit/contract";

/** Of a table that it was to list: there is none. Any other failure tells nothing about it. */
export const isNoTable = (error: unknown): boolean =>
  GodwitError.is(error, "PROGRAM_FAILED") &&
  /^Error: No such file or directory/.test(String(error.problem.details.output));
