/** Errors about datastores. */
import { define } from "./define.ts";

export const datastoreErrors = {
  DATASTORE_UNKNOWN: define<{ datastore: string; host?: string; known: string[] }>(
    404,
    "never",
    (d) =>
      `There is no datastore ${d.datastore}${d.host === undefined ? "" : ` on host ${d.host}`}${d.known.length > 0 ? `; known are ${d.known.join(", ")}` : ""}.`,
    () => "Name one of the known datastores, or add it to the agent's configuration.",
  ),
  DATASTORE_UNAVAILABLE: define<{ datastore: string; host: string; reason: string }>(
    503,
    "later",
    (d) => `Datastore ${d.datastore} cannot be used on host ${d.host}: ${d.reason}.`,
    () => "Check that it is mounted and writable there.",
  ),
} as const;
