/** The destination is well: nothing of its hardware is failing, as it reports. It may take the VM all the same. */
import { finding, type Finding } from "@godwit/contract";
import type { Reachable, RelocationFacts } from "../facts.ts";
import { healthParts } from "../host-health.ts";

export const health = ({
  destination: { name: host },
  targetLoad,
}: Reachable<RelocationFacts>): Finding[] => {
  const parts = healthParts(targetLoad);
  return parts.length === 0 ? [] : [finding("DESTINATION_UNHEALTHY", { host, parts }, "warning")];
};
