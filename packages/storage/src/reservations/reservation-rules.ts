/**
 * What a host does about its registration with a LUN, and when another host is kept from writing. Pure.
 *
 * A host that does not run for a while (its kernel hangs, it is frozen) may go on between any look and the action that follows
 * from it. So nothing here rests on a look alone that another host could have made untrue meanwhile:
 *
 * - The reservation is made only when the LUN itself has a key of every host. A host that saw neither a reservation nor a key of its
 *   own may register at any time: until it has, no reservation is made.
 * - Otherwise a host registers only when no VM's volume is active on it, and activates none meanwhile. So a key that
 *   another host took away comes back only when nothing runs here that may run there.
 * - Nobody is fenced without a reservation, nor whose key was not taken away by whoever judges it.
 */
import { isGodwits, isKeyOf, type ReservationKey } from "./reservation-key.ts";
import type { LunReservations } from "./sg-persist.ts";

/** What is known of a LUN on this host. */
export interface LunHere {
  host: string;
  /** As it is defined. */
  isWanted: boolean;
  /** The key that this host registered with last; null: none since it was booted. */
  ownKey: ReservationKey | null;
  /** Whether the paths that work are those that were registered. */
  arePathsSame: boolean;
  /** Whether a path does not work that was not registered before: should it come back, the LUN refuses what goes over it. */
  hasDeadPath: boolean;
  /** Whether a VM's volume on the LUN is active here. */
  hasActiveVolumes: boolean;
  seen: LunReservations;
}

/**
 * `adopt`: an earlier agent's key counts as this host's. `unregister`: of all keys of its own, so that it can register. `endVms`: the key was
 * taken away, so VMs here may run elsewhere. `clear`: removes the reservation with all keys. `forget`: nothing is left of what was registered.
 */
export type LunStep = "none" | "register" | "unregister" | "adopt" | "endVms" | "clear" | "forget";

/** Read it as a table: the first line that holds. */
export function stepOf(here: LunHere): LunStep {
  const { host, isWanted, ownKey, arePathsSame, hasActiveVolumes, seen } = here;
  const own = new Set(seen.keys.filter((key) => isKeyOf(host, key)));
  const isRegistered = ownKey !== null && own.has(ownKey);
  if (!isWanted) return isRegistered ? "clear" : ownKey === null ? "none" : "forget";
  if (isRegistered && arePathsSame) return "none";
  if (!hasActiveVolumes || (seen.reservation === null && own.size === 0)) return "register";
  if (ownKey === null && own.size === 1) return "adopt";
  if (seen.reservation === null) return "unregister";
  // A path that is new is not registered under running VMs, and who never registered is not fenced.
  return isRegistered || ownKey === null ? "none" : "endVms";
}

/** Whether all of this host's paths are registered: the LUN refuses what goes over another. */
export const isRegisteredWhole = ({
  ownKey,
  arePathsSame,
  hasDeadPath,
  seen,
}: Omit<LunHere, "host">): boolean =>
  ownKey !== null && seen.keys.includes(ownKey) && arePathsSame && !hasDeadPath;

/** Whether this host may activate a VM's volume. */
export const mayActivate = (here: LunHere): boolean =>
  here.seen.reservation === null || isRegisteredWhole(here);

/** Why the reservation is not to be made yet, the end of a sentence; null: it is. */
export function notReservable(
  hosts: readonly string[],
  { keys, reservation }: LunReservations,
): string | null {
  const missing = hosts.filter((host) => !keys.some((key) => isKeyOf(host, key)));
  if (missing.length > 0) return `the LUN has no key of ${missing.join(", ")}`;
  if (reservation !== null && !isOurs(reservation)) return foreign;
  return null;
}

const foreign = "the LUN is reserved by others, or in another way";

export const isOurs = ({ key, isRegistrantsOnly }: NonNullable<LunReservations["reservation"]>): boolean =>
  isRegistrantsOnly && isGodwits(key);

/**
 * What has to be taken away so that a host cannot write; or why that cannot be done, the end of a sentence.
 * @param takenAt the LUN's generation when this host took that one's keys last; null: it has not. A host whose keys it did not take
 *   may be about to register
 */
export function keysToTake(
  { host, ownKey }: Pick<LunHere, "host" | "ownKey">,
  dead: string,
  takenAt: string | null,
  { generation, keys, reservation }: LunReservations,
): { keys: ReservationKey[] } | { problem: string } {
  if (ownKey === null || !keys.includes(ownKey))
    return { problem: `host ${host} is not registered with the LUN` };
  if (isKeyOf(dead, ownKey)) return { problem: `hosts ${dead} and ${host} have the same key` };
  if (reservation === null) return { problem: "nothing is reserved on the LUN, so every host can write" };
  if (!isOurs(reservation)) return { problem: foreign };
  const taken = [...new Set(keys.filter((key) => isKeyOf(dead, key)))];
  if (taken.length > 0 || takenAt === generation) return { keys: taken };
  return { problem: `the LUN has no key of host ${dead}, and host ${host} has not taken it` };
}

/**
 * Why a host is not kept from writing after its keys were taken, the end of a sentence; null: it is. A key of another
 * generation is one that it has registered since, which it does when none of its VMs runs.
 */
export function notFenced(
  here: Pick<LunHere, "host" | "ownKey">,
  taken: readonly ReservationKey[],
  after: LunReservations,
): string | null {
  const { host, ownKey } = here;
  if (ownKey === null || !after.keys.includes(ownKey)) return `host ${host} has lost its own key`;
  if (after.reservation === null) return "nothing is reserved on the LUN any more";
  if (!isOurs(after.reservation)) return foreign;
  if (taken.includes(after.reservation.key)) return "its key still holds the reservation";
  if (!after.keys.includes(after.reservation.key)) return "the LUN tells of a holder that is not registered";
  const left = taken.filter((key) => after.keys.includes(key));
  return left.length === 0 ? null : `the LUN still has its key ${left.join(", ")}`;
}
