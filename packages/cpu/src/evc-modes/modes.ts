/** All EVC modes and common sets of all revisions, and which of them a CPU satisfies. Features decide, never levels or labels. */
import { GodwitError } from "@godwit/contract";
import { has, type Cpu } from "../cpuid/cpu.ts";
import { modeId, type EvcMode, type EvcVendor } from "./mode.ts";
import { commonSetRevisions } from "./common-sets.ts";
import { amdModes } from "./modes-amd.ts";
import { intelModes } from "./modes-intel.ts";

/** Every definition that was ever published, for VMs and pools that were made with it. */
export const evcRevisions: readonly EvcMode[] = [...intelModes, ...amdModes];

/** The newest revision of each mode, in the order of the tables. */
export const evcModes: readonly EvcMode[] = evcRevisions.filter(
  (mode) => !evcRevisions.some((other) => other.key === mode.key && other.revision > mode.revision),
);

/** The newest revision of each of Godwit's own sets, for CPUs beyond the modes. */
export const commonSets: readonly EvcMode[] = commonSetRevisions.filter(
  (mode) => !commonSetRevisions.some((other) => other.key === mode.key && other.revision > mode.revision),
);

const byName = new Map([
  ...commonSets.map((set) => [set.key, set] as const),
  ...commonSetRevisions.map((set) => [modeId(set), set] as const),
  ...evcModes.map((mode) => [mode.key, mode] as const),
  ...evcRevisions.map((mode) => [modeId(mode), mode] as const),
]);

/**
 * @param name a key for its newest revision, or `key@revision`; of an EVC mode or a common set
 * @throws EVC_MODE_UNKNOWN when there is none; it names those that are spelt alike
 */
export function evcModeNamed(name: string): EvcMode {
  const mode = byName.get(name.toLowerCase());
  if (mode !== undefined) return mode;
  throw GodwitError.of("EVC_MODE_UNKNOWN", { mode: name, near: nearNames(name.toLowerCase()) });
}

/** As CPUID spells them; VIA's and Zhaoxin's CPUs use both of theirs. */
const vendors: Readonly<Record<string, EvcVendor>> = {
  GenuineIntel: "intel",
  AuthenticAMD: "amd",
  HygonGenuine: "hygon",
  CentaurHauls: "zhaoxin",
  "  Shanghai  ": "zhaoxin",
  Shanghai: "zhaoxin",
};

/** null: a vendor that has neither EVC modes nor common sets, or one that is not known. */
export const evcVendorOf = (cpu: Pick<Cpu, "vendor">): EvcVendor | null => vendors[cpu.vendor] ?? null;

/** As CPUID spells it; of several the first. */
export const vendorText = (vendor: EvcVendor): string =>
  Object.entries(vendors).find(([, short]) => short === vendor)?.[0] ?? vendor;

/** The common sets whose every feature the CPU has, in the table's order. */
export const satisfiedSets = (cpu: Cpu): EvcMode[] => commonSets.filter((set) => satisfies(cpu, set));

/** The modes whose every feature the CPU has; a feature that is not known counts as missing. In the table's order. */
export function satisfiedModes(cpu: Cpu): EvcMode[] {
  const vendor = evcVendorOf(cpu);
  return evcModes.filter((mode) => mode.vendor === vendor && satisfies(cpu, mode));
}

/** Of the same vendor, and with all features. */
export const satisfies = (cpu: Cpu, mode: EvcMode): boolean =>
  evcVendorOf(cpu) === mode.vendor && mode.features.every((feature) => has(cpu, feature) === true);

/** The three keys that share most pairs of neighbouring letters with the name. */
function nearNames(name: string): string[] {
  const pairs = new Set(letterPairs(name));
  return [...evcModes, ...commonSets]
    .map(({ key }) => ({ key, shared: letterPairs(key).filter((pair) => pairs.has(pair)).length }))
    .sort((a, b) => b.shared - a.shared)
    .slice(0, 3)
    .map(({ key }) => key);
}

const letterPairs = (text: string): string[] =>
  Array.from({ length: Math.max(0, text.length - 1) }, (_, index) => text.slice(index, index + 2));
