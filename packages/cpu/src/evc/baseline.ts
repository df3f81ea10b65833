/**
 * The baseline of a set of CPUs: the richest EVC mode that all satisfy, what it costs each of them, and what
 * stands in the way of a higher one. The order of the CPUs never matters, and one more never raises it.
 * Modes are compared by their features; where two are not comparable, the one with more features comes first.
 */
import type { VmCpu } from "@godwit/contract";
import { features } from "../features/features.ts";
import { has, type Cpu } from "../cpuid/cpu.ts";
import { microcodeSet } from "./microcode.ts";
import { missingFor, type MissingFeature } from "./missing.ts";
import { includesMode, type EvcMode } from "../evc-modes/mode.ts";
import { evcModes, evcVendorOf, satisfiedModes, satisfiedSets } from "../evc-modes/modes.ts";
import { cpuString, mayBeExposed, qemuCpu } from "./qemu-cpu.ts";
import { commonX86Level } from "../report/x86-levels.ts";
import { distinguishesCpus } from "./exposed-features.ts";

export interface CpuBaseline {
  /** null: there is none, and `why` says why not. */
  readonly mode: EvcMode | null;
  readonly why: string | null;
  /**
   * The richest set of Godwit's own that all satisfy, where it shows something that `mode` does not, or there is no
   * mode; null: there is none.
   */
  readonly commonSet: EvcMode | null;
  /** All modes that each CPU satisfies, in the table's order. */
  readonly common: readonly EvcMode[];
  /** What each CPU surely has, in a mode or not; sorted names. */
  readonly features: readonly string[];
  /** Microcode-delivered features that each has: all VMs of the pool see them. */
  readonly microcode: readonly string[];
  /** The highest level of the x86-64 psABI that each has: `x86-64-v3`; null: it is not known. */
  readonly x86Level: string | null;
  /** What a VM of the pool is powered on with: of the mode, or where there is none, of the common set. */
  readonly cpu: VmCpu | null;
  /** The same as QEMU's `-cpu` takes it. */
  readonly cpuString: string | null;
  /** The next modes up; more than one where AMD's sequences part. */
  readonly next: readonly EvcMode[];
  readonly hosts: readonly BaselineHost[];
  /** Where vendors are mixed: the pool that each could be. */
  readonly vendors: readonly { vendor: string; mode: EvcMode | null; hosts: readonly string[] }[];
}

export interface BaselineHost {
  readonly label: string;
  readonly vendor: string;
  /** Keys of all that it satisfies. */
  readonly satisfies: readonly string[];
  /** What VMs on it could see without the baseline, and do not with it; sorted names. */
  readonly givesUp: readonly string[];
  readonly lacksForNext: readonly { readonly mode: string; readonly missing: readonly MissingFeature[] }[];
}

export function baselineOf(cpus: readonly Cpu[]): CpuBaseline {
  const satisfied = cpus.map(satisfiedModes);
  const common = commonModes(satisfied);
  const mode = richest(common);
  const vendors = Object.entries(Object.groupBy(cpus, ({ vendor }) => vendor)).map(([vendor, own = []]) => ({
    vendor,
    mode: commonMode(own),
    hosts: own.map(({ label }) => label).sort(),
  }));
  const commonSet = commonSetBeyond(cpus, mode);
  const base = mode ?? commonSet;
  const microcode = base === null ? [] : microcodeSet(cpus);
  const cpu = base === null ? null : qemuCpu(base, microcode);
  const next = vendors.length === 1 ? nextModes(cpus, mode) : [];
  const shared = features.filter(
    ({ name, runtime }) => !runtime && cpus.every((one) => has(one, name) === true),
  );
  return {
    mode,
    why: mode === null ? whyNone(cpus, satisfied, vendors) : null,
    commonSet,
    common,
    features: cpus.length === 0 ? [] : shared.map(({ name }) => name).sort(),
    microcode,
    x86Level: commonX86Level(cpus),
    cpu,
    cpuString: cpu === null ? null : cpuString(cpu),
    next,
    hosts: cpus.map((host, index) => ({
      label: host.label,
      vendor: host.vendor,
      satisfies: (satisfied[index] ?? []).map(({ key }) => key),
      givesUp: base === null ? [] : givenUp(host, base, microcode),
      lacksForNext: next
        .map((higher) => ({ mode: higher.key, missing: missingFor(host, higher) }))
        .filter(({ missing }) => missing.length > 0),
    })),
    vendors: vendors.sort((a, b) => (a.vendor < b.vendor ? -1 : 1)),
  };
}

/** Most features; the first of the table where two have as many. */
const richest = (modes: readonly EvcMode[]): EvcMode | null =>
  modes.reduce<EvcMode | null>(
    (best, mode) => (best === null || mode.features.length > best.features.length ? mode : best),
    null,
  );

/** Of several CPUs, each with the modes that it satisfies: those that all do, in the table's order. */
const commonModes = (satisfied: readonly (readonly EvcMode[])[]): EvcMode[] =>
  evcModes.filter((mode) => satisfied.length > 0 && satisfied.every((modes) => modes.includes(mode)));

/** The richest mode that all satisfy; null: there is none. */
export const commonMode = (cpus: readonly Cpu[]): EvcMode | null =>
  richest(commonModes(cpus.map(satisfiedModes)));

/** The richest common set of all, if it shows something that the mode does not. */
export function commonSetBeyond(cpus: readonly Cpu[], mode: EvcMode | null): EvcMode | null {
  const [first, ...others] = cpus.map(satisfiedSets);
  const common = (first ?? []).filter((set) => others.every((sets) => sets.includes(set)));
  const shown = new Set(mode?.features);
  return richest(
    common.filter(({ features: own }) => own.length > shown.size && !own.every((name) => shown.has(name))),
  );
}

/** The lowest modes that show all of `mode` and more; with none, the lowest of the vendor. */
function nextModes(cpus: readonly Cpu[], mode: EvcMode | null): EvcMode[] {
  const [first] = cpus;
  const vendor = first === undefined ? null : evcVendorOf(first);
  const higher = evcModes.filter(
    (other) => other.vendor === vendor && other !== mode && (mode === null || includesMode(other, mode)),
  );
  return higher.filter((one) => !higher.some((other) => other !== one && includesMode(one, other)));
}

/** What a VM could be shown on this host by itself, and is not in the mode. */
export function givenUp(cpu: Cpu, mode: EvcMode, microcode: readonly string[]): string[] {
  return features
    .filter(
      (feature) => mayBeExposed(feature) && feature.qemuSince !== null && distinguishesCpus(feature.name),
    )
    .map(({ name }) => name)
    .filter((name) => cpu.features.has(name) && !mode.features.includes(name) && !microcode.includes(name))
    .sort();
}

function whyNone(
  cpus: readonly Cpu[],
  satisfied: readonly (readonly EvcMode[])[],
  vendors: readonly { vendor: string; hosts: readonly string[] }[],
): string {
  if (cpus.length === 0) return "There is no CPU to find a baseline of.";
  if (vendors.length > 1) {
    const groups = vendors.map(({ vendor, hosts }) => `${vendor} in ${hosts.join(", ")}`).sort();
    return `The CPUs are of different vendors (${groups.join("; ")}); a running VM never goes from one vendor's to another's.`;
  }
  const [vendor = ""] = vendors.map((group) => group.vendor);
  if (!evcModes.some((mode) => cpus.some((cpu) => evcVendorOf(cpu) === mode.vendor)))
    return `There are no EVC modes for CPUs of the vendor ${vendor}.`;
  const without = cpus.filter((_, index) => satisfied[index]?.length === 0).map(({ label }) => label);
  return without.length > 0
    ? `${without.sort().join(", ")} ${without.length === 1 ? "satisfies" : "satisfy"} no EVC mode.`
    : "The CPUs satisfy no mode in common.";
}
