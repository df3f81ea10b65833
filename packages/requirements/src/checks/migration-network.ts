/** Both hosts have an address on the migration network, on a link that is on, carries, and runs at a gigabit or faster. */
import { finding, type Carrier, type Finding, type HostFacts, type HostLoad } from "@godwit/contract";
import type { HostReport, Requirement } from "../facts.ts";

export const requiredBitsPerSecond = 1_000_000_000;

export const migrationNetwork: Requirement = ({ source, sourceLoad, target, targetLoad }) => [
  ...findingsOf(source, sourceLoad),
  ...findingsOf(target, targetLoad),
];

/** Whether both ends are such that the way between them can be tried. */
export const canBeTried = (
  source: { facts: HostFacts | null; load: HostLoad | null },
  destination: HostReport | null,
): boolean =>
  source.facts !== null &&
  destination !== null &&
  findingsOf(source.facts, source.load).length === 0 &&
  findingsOf(destination.facts, destination.load).length === 0;

/** @param load null: not known, which the way's own test makes up for */
function findingsOf(facts: HostFacts, load: HostLoad | null): Finding[] {
  const { name: host, migration, migrationSettings } = facts;
  if (migration === null) return [withoutAddress(host, migrationSettings)];
  const { name: link, bitsPerSecond } = migration.link;
  const carrier = load?.links?.find(({ name }) => name === link)?.carrier ?? "up";
  if (carrier !== "up") return [finding(codes[carrier], { host, link })];
  if (bitsPerSecond === null || bitsPerSecond >= requiredBitsPerSecond) return [];
  return [finding("MIGRATION_NETWORK_SLOW", { host, link, bitsPerSecond })];
}

const withoutAddress = (host: string, settings: HostFacts["migrationSettings"]): Finding =>
  settings === null
    ? finding("MIGRATION_NETWORK_MISSING", { host })
    : finding("MIGRATION_ADDRESS_ABSENT", { host, address: settings?.address ?? null });

const codes = {
  off: "MIGRATION_LINK_OFF",
  none: "MIGRATION_LINK_NO_CARRIER",
  noPort: "MIGRATION_BRIDGE_NO_PORT",
} as const satisfies Record<Exclude<Carrier, "up">, string>;
