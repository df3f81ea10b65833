/** The destination is well: nothing of its hardware is failing, as it reports. It may take the VM all the same. */
import { finding, type Finding, type HostLoad } from "@godwit/contract";
import type { Reachable, RelocationFacts } from "../facts.ts";
import { healthParts } from "../host-health.ts";
import { isShared } from "../own-health.ts";

/** Storage that is slow for the VM's host too is no worse there. */
export const health = (facts: Reachable<RelocationFacts> & { sourceLoad?: HostLoad | null }): Finding[] => {
  const { destination, targetLoad, sourceLoad } = facts;
  const slowHere = new Set(
    (sourceLoad?.health?.findings ?? []).filter(isShared).map(({ component }) => component),
  );
  const findings = (targetLoad.health?.findings ?? []).filter(
    (one) => !isShared(one) || !slowHere.has(one.component),
  );
  const parts = healthParts({ health: { findings, sources: [] } });
  return parts.length === 0
    ? []
    : [finding("DESTINATION_UNHEALTHY", { host: destination.name, parts }, "warning")];
};
