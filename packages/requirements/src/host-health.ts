/** How well a host is, from what it reports. */
import type { HealthState, HostLoad } from "@godwit/contract";

/** What does not work, each with its evidence. */
export const healthParts = ({ health }: Pick<HostLoad, "health">): string[] =>
  (health?.findings ?? []).map(({ component, evidence }) => `${component}: ${evidence}`);

/** The worst of it; null: it is well as far as it tells. */
export function healthState({ health }: Pick<HostLoad, "health">): HealthState | null {
  const findings = health?.findings ?? [];
  if (findings.some(({ state }) => state === "severe")) return "severe";
  return findings.length > 0 ? "moderate" : null;
}

/** When the newest of what is severe began; null: nothing is. */
export const severeSince = ({ health }: Pick<HostLoad, "health">): string | null =>
  (health?.findings ?? [])
    .filter(({ state }) => state === "severe")
    .map(({ since }) => since)
    .sort()
    .at(-1) ?? null;
