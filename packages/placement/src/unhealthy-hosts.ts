/**
 * What a pool does of itself about hosts that are not well. A host that takes no VM keeps those that it has; one that may fail at any time
 * is emptied, one at a time, and only while most of the pool is well: where many hosts are hot at once it is the room, and
 * there is nowhere to go. Pure.
 */
import type { HealthPolicy, HealthState, Maintenance } from "@godwit/contract";

export interface HostCondition {
  name: string;
  isUp: boolean;
  maintenance: Maintenance;
  health: HealthState | null;
  /** Its emptying is under way. */
  isBeingEmptied: boolean;
  /** An emptying of it has ended since it became severe: what follows is the operators' decision. */
  wasEmptied: boolean;
}

/** Whether the pool's own decisions give it no VM. */
export const isQuarantined = (policy: HealthPolicy, health: HealthState | null): boolean =>
  policy !== "ask" && health !== null;

/** `empty`: this host now. `wait`: another is being emptied. `alone`: too many are severe at once. Null: nothing is to be done. */
export type HealthStep = { do: "empty"; host: string } | { do: "wait" } | { do: "alone"; hosts: string[] };

export function healthStep(policy: HealthPolicy, hosts: readonly HostCondition[]): HealthStep | null {
  if (policy !== "evacuate") return null;
  const up = hosts.filter(({ isUp }) => isUp);
  const severe = up.filter(({ health }) => health === "severe");
  const next = severe.find(
    ({ maintenance, isBeingEmptied, wasEmptied }) => maintenance === "off" && !isBeingEmptied && !wasEmptied,
  );
  if (next === undefined) return null;
  if (hosts.some(({ isBeingEmptied }) => isBeingEmptied)) return { do: "wait" };
  if (severe.length * 2 > up.length) return { do: "alone", hosts: severe.map(({ name }) => name) };
  return { do: "empty", host: next.name };
}
