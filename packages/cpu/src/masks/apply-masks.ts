/**
 * Masks on a host: what the guest sees in each bit, whether the VM may be powered on there, and whether it may
 * move from there to another. Three answers to each question: yes, no, and not known. A feature is hidden where
 * one that it needs is hidden, whatever its own character says.
 */
import { bitOf, placeOf, registerOf } from "../cpuid/leaves.ts";
import type { CpuFeature } from "../features/feature.ts";
import { dependentsOf, features } from "../features/features.ts";
import { has, type Cpu } from "../cpuid/cpu.ts";
import { finding, type Finding } from "@godwit/contract";
import { capabilityOf, featureOfMaskName } from "./feature-mask.ts";
import { maskMeanings, type MaskCharacter } from "./mask-character.ts";
import { characterAt, placeOfKey, registerKey, type MaskLayer } from "./mask-layer.ts";
import type { Masks } from "./masks.ts";
import type { RegisterPlace } from "./register-mask.ts";

/** A bit of a host or of a guest; null: not known. */
export type Bit = 0 | 1 | null;

export interface MaskedBit {
  readonly place: RegisterPlace;
  readonly bit: number;
  readonly feature: CpuFeature | null;
  readonly character: Exclude<MaskCharacter, "-">;
  readonly host: Bit;
  readonly sees: Bit;
  /** The hidden feature without which this one must not be shown, where its own character does not hide it. */
  readonly hiddenBy: string | null;
}

const byPlace = new Map(features.map((feature) => [bitKey(feature, feature.bit), feature]));

/** The named feature of a bit. */
export const featureAt = (place: RegisterPlace, bit: number): CpuFeature | undefined =>
  byPlace.get(bitKey(place, bit));

/** `CPUID.1:ECX[26]`. */
export const bitPlace = (place: RegisterPlace, bit: number): string => placeOf({ ...place, bit });

function bitKey(place: RegisterPlace, bit: number): string {
  return `${registerKey(place)}.${String(bit)}`;
}

/** What a CPU has in one bit: from its registers, else from its features' names. */
export function bitOfCpu(cpu: Cpu, place: RegisterPlace, bit: number): Bit {
  const value = registerOf(cpu.leaves, place.leaf, place.subleaf, place.register);
  if (value !== undefined) return bitOf(value, bit) ? 1 : 0;
  const feature = featureAt(place, bit);
  const there = feature === undefined ? null : has(cpu, feature.name);
  return there === null ? null : there ? 1 : 0;
}

/**
 * Every bit of every register that the layer speaks of, and every named feature.
 * @param host null: no host is given, and only what the masks fix themselves is known
 */
export function applyMasks(layer: MaskLayer, host: Cpu | null): MaskedBit[] {
  const keys = new Set([...layer.keys(), ...features.map(registerKey)]);
  const bits = [...keys].flatMap((key) => {
    const place = placeOfKey(key);
    return Array.from({ length: 32 }, (_, bit) => applied(layer, host, place, bit));
  });
  const hidden = hiddenByParents(bits);
  return bits.map((one) => {
    const parent = one.feature === null ? undefined : hidden.get(one.feature.name);
    return parent === undefined ? one : { ...one, sees: 0, hiddenBy: parent };
  });
}

/** What keeps the VM from being powered on at this host. What the host's report does not tell is not in it. */
export function powerOnFindings(layer: MaskLayer, masks: Masks, host: Cpu): Finding[] {
  const bits = applyMasks(layer, host).flatMap((one) => {
    const { powerOn } = maskMeanings[one.character];
    return powerOn === null || one.host === null || one.host === powerOn
      ? []
      : [finding("MASK_POWER_ON_REFUSED", { host: host.label, wanted: powerOn, ...words(one) })];
  });
  return [...bits, ...valueFindings(masks, host), ...requirementFindings(masks, host)];
}

/** What keeps a VM that runs with these masks from moving. What one of the reports does not tell is not in it. */
export function moveFindings(layer: MaskLayer, masks: Masks, from: Cpu, to: Cpu): Finding[] {
  const bits = applyMasks(layer, from).flatMap((one) => {
    const { move } = maskMeanings[one.character];
    const there = bitOfCpu(to, one.place, one.bit);
    const compared = move !== null && one.hiddenBy === null && one.feature?.runtime !== true;
    if (!compared || there === null || there === (move === "equal" ? one.host : move)) return [];
    if (move !== "equal") return [refusal(one, from, to, `must be ${String(move)} at the destination`)];
    if (one.host === null) return [];
    return [refusal(one, from, to, `must be alike on both, but is ${String(one.host)} and ${String(there)}`)];
  });
  return [...bits, ...valueFindings(masks, to), ...requirementFindings(masks, to)];
}

/** Masks of what is no single bit (vendor, family, levels) that ask for more than the host has. */
function valueFindings({ features: masks }: Masks, host: Cpu): Finding[] {
  return masks.flatMap(({ name, rule, value }) => {
    const capability = capabilityOf(host, name);
    const isBit = featureOfMaskName(name, null) !== undefined;
    return isBit || rule === "Max" || capability === null || capability >= value
      ? []
      : [finding("MASK_ABOVE_HOST", { host: host.label, name, asked: value, has: capability })];
  });
}

/** `featureRequirement`s that a host does not satisfy; what its report does not tell is not in it. */
function requirementFindings({ requirements }: Masks, host: Cpu): Finding[] {
  return requirements.flatMap(({ name, rule, value }) => {
    const capability = capabilityOf(host, name);
    const holds = capability === null || (rule === "Min" ? capability >= value : capability === value);
    return holds
      ? []
      : [finding("MASK_REQUIREMENT_UNMET", { host: host.label, name, rule, asked: value, has: capability })];
  });
}

function applied(layer: MaskLayer, host: Cpu | null, place: RegisterPlace, bit: number): MaskedBit {
  const character = characterAt(layer, place, bit);
  const { guest, powerOn } = maskMeanings[character];
  const own = host === null ? null : bitOfCpu(host, place, bit);
  return {
    place,
    bit,
    feature: featureAt(place, bit) ?? null,
    character,
    host: own,
    // Where the power-on test has passed, the guest sees what was tested.
    sees: guest === "host" ? (own ?? powerOn) : guest,
    hiddenBy: null,
  };
}

/**
 * Which features are hidden because of another that they need, and of which. What a mask hides takes everything
 * that needs it along; what the host just lacks hides what would be shown without it.
 */
function hiddenByParents(bits: readonly MaskedBit[]): ReadonlyMap<string, string> {
  const named = bits.flatMap((one) => (one.feature === null ? [] : [{ ...one, name: one.feature.name }]));
  const byName = new Map(named.map((one) => [one.name, one]));
  const masked = ({ character }: MaskedBit): boolean => maskMeanings[character].guest === 0;
  const hidden = new Map<string, string>();
  for (const parent of named.filter(masked)) {
    for (const child of dependentsOf(parent.name)) {
      const one = byName.get(child);
      if (one !== undefined && !masked(one) && !hidden.has(child)) hidden.set(child, parent.name);
    }
  }
  for (const parent of named.filter((one) => one.sees === 0)) {
    for (const child of dependentsOf(parent.name)) {
      if (byName.get(child)?.sees !== 0 && !hidden.has(child)) hidden.set(child, parent.name);
    }
  }
  return hidden;
}

const words = ({ place, bit, feature }: MaskedBit) => ({
  place: bitPlace(place, bit),
  feature: feature?.name ?? null,
});

const refusal = (one: MaskedBit, from: Cpu, to: Cpu, asked: string): Finding =>
  finding("MASK_MOVE_REFUSED", { from: from.label, to: to.label, asked, ...words(one) });
