/** The host that calls, by its certificate. */
import { GodwitError } from "@godwit/contract";
import type { Actor } from "@godwit/http";

/** @throws FORBIDDEN */
export function hostOf(actor: Actor): string {
  if (actor.kind === "host") return actor.name;
  throw GodwitError.of("FORBIDDEN", { who: `The ${actor.kind}`, needs: "a host's certificate" });
}
