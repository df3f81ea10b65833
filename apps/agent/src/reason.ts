/** What went wrong, as the end of a sentence that names the object itself: without its full stop. */
import { GodwitError } from "@godwit/contract";

/** The reason that an error gives within its own sentence, where it has one: two sentences in one say things twice. */
export function reasonOf(error: unknown): string {
  const told = GodwitError.is(error) ? error.problem.details.reason : undefined;
  const text = typeof told === "string" ? told : error instanceof Error ? error.message : String(error);
  return text.replace(/\.$/, "");
}
