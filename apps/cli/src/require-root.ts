/** Commands that change the machine itself need root. */
import { GodwitError } from "@godwit/contract/errors";

/** @throws NOT_ROOT */
export function requireRoot(what: string): void {
  if (process.getuid?.() !== 0) throw GodwitError.of("NOT_ROOT", { what });
}
