/** The one refusal of everything that is no mask: the key, its value, and what was expected where. */
import { GodwitError } from "@godwit/contract";

export const maskInvalid = (key: string, value: string, problem: string): GodwitError =>
  GodwitError.of("MASK_INVALID", { key, value, problem });
