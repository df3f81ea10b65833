/**
 * The newer masks, by a feature's name: `featMask.vm.cpuid.AES = "Val:0"`, and what a VM requires of its host:
 * `Bool:Min:1`, `Num:Min:10`, `Match:6`. Names that are no bit of CPUID (FAMILY, hv.capable) are read and kept.
 */
import { featureNamed, features, vmwareFeature } from "../features/features.ts";
import type { CpuFeature } from "../features/feature.ts";
import type { Cpu } from "../cpuid/cpu.ts";
import { registerOf } from "../cpuid/leaves.ts";
import { has } from "../cpuid/cpu.ts";
import type { MaskCharacter } from "./mask-character.ts";
import { maskInvalid } from "./mask-invalid.ts";
import type { MaskVendor } from "./register-mask.ts";

export interface FeatureMask {
  /** As VMware spells it where that is known: `cpuid.SSE41`, `hv.capable`. */
  readonly name: string;
  /** Val: exactly this. Max: no more than this. Min: no less than this, which a real host must bring itself. */
  readonly rule: "Val" | "Max" | "Min";
  readonly value: number;
}

export interface FeatureRequirement {
  readonly name: string;
  readonly kind: "Bool" | "Num" | null;
  readonly rule: "Min" | "Match";
  readonly value: number;
}

export const featureMaskPrefix = "featMask.vm.";
export const requirementPrefix = "featureRequirement.";

/** Names of VMware that stand for one bit with Intel and for another with AMD. */
const byVendor: Readonly<Record<string, Readonly<Record<MaskVendor, string>>>> = {
  IBRS: { intel: "spec-ctrl", amd: "ibrs" },
  IBPB: { intel: "spec-ctrl", amd: "ibpb" },
  STIBP: { intel: "stibp", amd: "amd-stibp" },
  SSBD: { intel: "ssbd", amd: "amd-ssbd" },
};

const valueNames = ["FAMILY", "MODEL", "STEPPING", "NUMLEVELS", "NUM_EXT_LEVELS"];

/** VMware's spelling by the same in lower case. */
const spellings = new Map(
  [
    ...features.flatMap(({ vmware }) => (vmware === null ? [] : [`cpuid.${vmware}`])),
    ...["Intel", "AMD", ...Object.keys(byVendor), ...valueNames].map((name) => `cpuid.${name}`),
    "hv.capable",
    "vt.realmode",
  ].map((name) => [name.toLowerCase(), name]),
);

/** Names without `cpuid.` that stand for numbers, or for different bits by vendor. */
export const maskNames: readonly string[] = [...Object.keys(byVendor), ...valueNames];

/** undefined: it is neither a feature's name nor one of these. */
export const maskNameSpelling = (name: string): string | undefined => spellings.get(name.toLowerCase());

/**
 * @param key with its prefix `featMask.vm.`, in any case of letters
 * @throws MASK_INVALID when the name or the value is none
 */
export function parseFeatureMask(key: string, value: string): FeatureMask {
  const name = nameIn(key, value, featureMaskPrefix);
  const parts = /^(val|max|min):(\w+)$/i.exec(value.trim());
  const number = numberOf(parts?.[2]);
  if (parts === null || number === null) {
    throw maskInvalid(key, value, "expected Val:N, Max:N or Min:N with a decimal or 0x number, like Val:1");
  }
  const rule = capitalized(parts[1]) as FeatureMask["rule"];
  if (number > 1 && isBit(name)) throw maskInvalid(key, value, `${name} is one bit, so N must be 0 or 1`);
  return { name, rule, value: number };
}

/**
 * @param key with its prefix `featureRequirement.`
 * @throws MASK_INVALID when the name or the value is none
 */
export function parseFeatureRequirement(key: string, value: string): FeatureRequirement {
  const name = nameIn(key, value, requirementPrefix);
  const parts = /^(?:(bool|num):)?(min|match):(\w+)$/i.exec(value.trim());
  const number = numberOf(parts?.[3]);
  if (parts === null || number === null) {
    throw maskInvalid(key, value, "expected Bool:Min:N, Num:Min:N, Min:N or Match:N, like Bool:Min:1");
  }
  const kind = parts[1] === undefined ? null : (capitalized(parts[1]) as "Bool" | "Num");
  if (number > 1 && kind === "Bool") throw maskInvalid(key, value, "Bool is one bit, so N must be 0 or 1");
  return { name, kind, rule: capitalized(parts[2]) as FeatureRequirement["rule"], value: number };
}

/** `Val:1`; numbers above 9 in hexadecimal, as VMware writes them. */
export const featureMaskText = ({ rule, value }: FeatureMask): string => `${rule}:${numberText(value)}`;

export const featureRequirementText = ({ kind, rule, value }: FeatureRequirement): string =>
  `${kind === null ? "" : `${kind}:`}${rule}:${numberText(value)}`;

/** The bit that a name of VMware stands for with this vendor; undefined: it is no bit of CPUID. */
export function featureOfMaskName(name: string, vendor: MaskVendor | null): CpuFeature | undefined {
  const plain = name.replace(/^cpuid\./, "");
  const split = byVendor[plain];
  return split === undefined ? vmwareFeature(plain) : featureNamed(split[vendor ?? "intel"]);
}

/** What a mask of one bit says in the older grammar; `-` where it leaves the bit as it is. */
export function characterOf({ rule, value }: FeatureMask): MaskCharacter {
  if (value === 0) return rule === "Min" ? "-" : "0";
  return rule === "Max" ? "-" : "T";
}

/** What a host can give under VMware's name; null: its report does not tell. */
export function capabilityOf(cpu: Cpu, name: string): number | null {
  const vendor = maskVendorOf(cpu.vendor);
  switch (name) {
    case "cpuid.Intel":
      return vendor === "intel" ? 1 : 0;
    case "cpuid.AMD":
      return vendor === "amd" ? 1 : 0;
    case "cpuid.FAMILY":
      return cpu.family;
    case "cpuid.MODEL":
      return cpu.model;
    case "cpuid.STEPPING":
      return cpu.stepping;
    case "cpuid.NUMLEVELS":
      return registerOf(cpu.leaves, 0, 0, "eax") ?? null;
    case "cpuid.NUM_EXT_LEVELS":
      return registerOf(cpu.leaves, 0x80000000, 0, "eax") ?? null;
  }
  const feature = featureOfMaskName(name, vendor);
  const there = feature === undefined ? null : has(cpu, feature.name);
  return there === null ? null : Number(there);
}

/** @param vendor as CPUID spells it */
export const maskVendorOf = (vendor: string): MaskVendor | null =>
  vendor === "GenuineIntel" ? "intel" : vendor === "AuthenticAMD" || vendor === "HygonGenuine" ? "amd" : null;

const isBit = (name: string): boolean =>
  name === "cpuid.Intel" || name === "cpuid.AMD" || featureOfMaskName(name, null) !== undefined;

function nameIn(key: string, value: string, prefix: string): string {
  const name = key.trim().slice(prefix.length);
  if (!/^[a-z]\w*(\.\w+)+$/i.test(name)) {
    throw maskInvalid(
      key,
      value,
      `after ${prefix} expected a feature as VMware names it, like ${prefix}cpuid.SSE41`,
    );
  }
  return spellings.get(name.toLowerCase()) ?? name;
}

function numberOf(text: string | undefined): number | null {
  if (text === undefined || !/^(?:0x[0-9a-f]{1,8}|\d{1,10})$/i.test(text)) return null;
  const value = Number(text);
  return value <= 0xffffffff ? value : null;
}

const numberText = (value: number): string => (value <= 9 ? String(value) : `0x${value.toString(16)}`);

const capitalized = (text = ""): string => text.charAt(0).toUpperCase() + text.slice(1).toLowerCase();
