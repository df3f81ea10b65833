/**
 * How well hosts are as far as it is their own ailment. A datastore that most hosts with it find slow is slow by itself: no VM gets better
 * elsewhere, and no host is left for it. Hosts do not look at the same moment, so that a slow datastore counts only after some minutes.
 */
import type { HealthFinding, HealthState, HostLoad } from "@godwit/contract";
import { healthState, severeSince } from "./host-health.ts";

const settledMs = 180_000;
/** A host that has not reported for longer says nothing of now. */
const freshMs = 300_000;

export interface OwnHealth {
  health: HealthState | null;
  /** When the newest of what is severe began; null: nothing is. */
  severeSince: string | null;
}

/** @param hosts all that there are @param nowMs since 1970 */
export function ownHealth(
  hosts: readonly { name: string; load: HostLoad | null }[],
  nowMs: number,
): Map<string, OwnHealth> {
  const fresh = hosts.flatMap(({ load }) =>
    load !== null && nowMs - Date.parse(load.reportedAt) < freshMs ? [load] : [],
  );
  const counts = new Map<string, { has: number; slow: number }>();
  for (const { datastores, health } of fresh) {
    const slow = new Set((health?.findings ?? []).filter(isShared).map(({ component }) => component));
    for (const { name } of datastores) {
      const component = componentOf(name);
      const { has, slow: before } = counts.get(component) ?? { has: 0, slow: 0 };
      counts.set(component, { has: has + 1, slow: before + Number(slow.has(component)) });
    }
  }
  const isOwn = (finding: HealthFinding): boolean => {
    if (!isShared(finding)) return true;
    if (nowMs - Date.parse(finding.since) < settledMs) return false;
    const { has, slow } = counts.get(finding.component) ?? { has: 0, slow: 0 };
    return slow * 2 <= has || has < 2;
  };
  return new Map(
    hosts.map(({ name, load }) => {
      const findings = (load?.health?.findings ?? []).filter(isOwn);
      const own = { health: { findings, sources: [] } };
      return [name, { health: healthState(own), severeSince: severeSince(own) }];
    }),
  );
}

/** Whether it may be the storage's ailment, and not the host's. */
export const isShared = ({ source }: HealthFinding): boolean => source === "storage-latency";
const componentOf = (datastore: string): string => `datastore ${datastore}`;
