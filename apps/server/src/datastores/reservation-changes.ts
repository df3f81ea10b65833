/** Whether the persistent reservations of a LUN may be turned on or off now. Pure. */
import type { DatastoreView } from "@godwit/contract";

/**
 * On: every host has to be able to register, since those that are not registered cannot write. Off: every host has to answer, since one
 * that was fenced a moment ago, and may still run, could write again.
 * @param abilities of a host's agent
 * @returns what is against it, of each host, the end of a sentence
 */
export function notToSet(
  { hosts }: Pick<DatastoreView, "hosts">,
  on: boolean,
  abilities: (host: string) => readonly string[],
): string[] {
  return hosts.flatMap(({ host, state, reason, reservations }) => {
    if (state === "unknown") return [`host ${host}: ${reason ?? "it does not answer"}`];
    if (!on) return [];
    if (state !== "available") return [`host ${host} cannot use it: ${reason ?? state}`];
    if (!abilities(host).includes("lunReservations"))
      return [`host ${host}: its agent is of a version that has no persistent reservations`];
    if (reservations === null) return [`host ${host} has not told yet whether it can`];
    return reservations.reason === null ? [] : [`host ${host}: ${reservations.reason}`];
  });
}
