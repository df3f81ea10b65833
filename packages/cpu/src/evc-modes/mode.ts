/**
 * An EVC mode: the CPU features that every VM of a pool may see, and how QEMU is configured to show exactly them.
 * A mode is written as its predecessor plus and minus a few features. A published revision never changes:
 * VMs run with it. A correction is a new revision, and names the revision that it is derived from.
 */
import { featureNamed } from "../features/features.ts";
import { oldestQemu } from "../features/qemu-version.ts";

/** Of VMware's modes the first two; the others have only common sets of Godwit's. */
export type EvcVendor = "intel" | "amd" | "hygon" | "zhaoxin";

/**
 * How well a mode is known to be VMware's: `mask`: its complete feature mask is public; `vm`: what a VM in it
 * requires is public; `dumps`: described in prose by VMware, and checked against CPUID dumps of that generation.
 */
export type EvcEvidence = "mask" | "vm" | "dumps";

/** What QEMU is given, before microcode-delivered features: shaped as a VM's `cpu`. */
export interface EvcCpu {
  readonly model: string;
  readonly add: readonly string[];
  readonly remove: readonly string[];
}

export interface EvcMode {
  readonly key: string;
  readonly revision: number;
  /** VMware's name of its place in the vendor's sequence. For people: AMD's modes are not a ladder. */
  readonly level: string;
  readonly label: string;
  readonly vendor: EvcVendor;
  /** What a host must have, beyond what every 64-bit CPU has; names of the feature table, sorted. */
  readonly features: readonly string[];
  /** Those of them that hosts must have, as VMware's masks say, and guests are not shown: KVM or QEMU cannot. */
  readonly hidden: readonly string[];
  readonly cpu: EvcCpu;
  /** The first QEMU version that has the model. */
  readonly qemuSince: string;
  readonly evidence: EvcEvidence;
}

/** A mode as the tables write it. */
export interface EvcRow {
  readonly key: string;
  readonly revision: number;
  readonly level: string;
  readonly label: string;
  /** The mode that it is derived from, with its revision. */
  readonly from: string | null;
  readonly adds: string;
  readonly drops?: string;
  /** Of all its features those that guests are not shown; besides what QEMU has no name for. */
  readonly hidden?: string;
  readonly model: string;
  /** What must be added to QEMU's model, and taken from it, so that it shows just this mode. */
  readonly plus?: string;
  readonly minus?: string;
  /** Default: the oldest supported one. */
  readonly qemuSince?: string;
  readonly evidence: EvcEvidence;
}

/** `intel-merom@1`: one definition for ever. */
export const modeId = ({ key, revision }: Pick<EvcMode, "key" | "revision">): string =>
  `${key}@${String(revision)}`;

/**
 * The modes of a table whose rows come after those that they are derived from.
 * @param bases modes of other tables that rows are derived from
 */
export function expandRows(
  vendor: EvcVendor,
  rows: readonly EvcRow[],
  bases: readonly EvcMode[] = [],
): EvcMode[] {
  const known = new Map(bases.map((mode) => [modeId(mode), mode]));
  const done: EvcMode[] = [];
  for (const row of rows) {
    const base = row.from === null ? undefined : known.get(row.from);
    if (row.from !== null && base === undefined) throw new TypeError(`${modeId(row)}: no mode ${row.from}`);
    const dropped = new Set(words(row.drops));
    const kept = (base?.features ?? []).filter((feature) => !dropped.has(feature));
    const features = [...kept, ...words(row.adds)].sort();
    const hidden = new Set([...words(row.hidden), ...features.filter((name) => !isKnownToQemu(name))]);
    const mode: EvcMode = {
      key: row.key,
      revision: row.revision,
      level: row.level,
      label: row.label,
      vendor,
      features,
      hidden: [...hidden].sort(),
      cpu: { model: row.model, add: words(row.plus), remove: words(row.minus) },
      qemuSince: row.qemuSince ?? oldestQemu,
      evidence: row.evidence,
    };
    known.set(modeId(mode), mode);
    done.push(mode);
  }
  return done;
}

const isKnownToQemu = (name: string): boolean => (featureNamed(name)?.qemuSince ?? null) !== null;

const words = (text = ""): string[] => text.split(/\s+/).filter((word) => word !== "");

/** A set of Godwit's own for CPUs beyond VMware's modes; their keys say so. */
export const isCommonSet = ({ key }: Pick<EvcMode, "key">): boolean => key.startsWith("common-");

/** Whether `mode` shows everything that `other` shows; a mode includes itself. */
export function includesMode(mode: EvcMode, other: EvcMode): boolean {
  if (mode.vendor !== other.vendor) return false;
  const features = new Set(mode.features);
  return other.features.every((feature) => features.has(feature));
}
