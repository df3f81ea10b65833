/** Both hosts have an address on the migration network, and its links run at a gigabit or faster. */
import { finding, type Finding } from "@godwit/contract";
import type { Requirement } from "../facts.ts";

export const requiredBitsPerSecond = 1_000_000_000;

export const migrationNetwork: Requirement = ({ source, target }) =>
  [source, target].flatMap((host): Finding[] => {
    if (host.migration === null) return [finding("MIGRATION_NETWORK_MISSING", { host: host.name })];
    const { link } = host.migration;
    if (link.bitsPerSecond === null || link.bitsPerSecond >= requiredBitsPerSecond) return [];
    return [
      finding("MIGRATION_NETWORK_SLOW", {
        host: host.name,
        link: link.name,
        bitsPerSecond: link.bitsPerSecond,
      }),
    ];
  });
