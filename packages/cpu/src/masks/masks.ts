/**
 * All masks of one VM, read from the keys and values of its configuration and written back. Keys are told
 * apart without regard to case; the same key twice is refused, as VMware does.
 */
import {
  featureMaskPrefix,
  featureMaskText,
  featureRequirementText,
  parseFeatureMask,
  parseFeatureRequirement,
  requirementPrefix,
  type FeatureMask,
  type FeatureRequirement,
} from "./feature-mask.ts";
import { maskInvalid } from "./mask-invalid.ts";
import {
  isRegisterMaskKey,
  maskBitsText,
  parseRegisterMask,
  registerMaskKey,
  type RegisterMask,
} from "./register-mask.ts";

export interface Masks {
  readonly registers: readonly RegisterMask[];
  readonly features: readonly FeatureMask[];
  readonly requirements: readonly FeatureRequirement[];
  /** Whether a feature that `features` does not name is 0. */
  readonly complete: boolean;
}

export const noMasks: Masks = { registers: [], features: [], requirements: [], complete: false };

const completeKey = "featureCompat.vm.completeMasks";

const startsWith = (key: string, prefix: string): boolean =>
  key.toLowerCase().startsWith(prefix.toLowerCase());

/** Whether a key of a VM's configuration is about CPU masks. */
export const isMaskKey = (key: string): boolean =>
  isRegisterMaskKey(key) ||
  startsWith(key, featureMaskPrefix) ||
  startsWith(key, requirementPrefix) ||
  key.toLowerCase() === completeKey.toLowerCase();

/** Two keys of the same mask are equal in this spelling. */
export function canonicalMaskKey(key: string, value: string): string {
  const [entry] = maskEntries(parseMasks([[key, value]]));
  return (entry?.[0] ?? key).toLowerCase();
}

/**
 * @param entries keys with their values, without quotes
 * @throws MASK_INVALID at the first key or value that is none
 */
export function parseMasks(entries: Iterable<readonly [string, string]>): Masks {
  const registers: RegisterMask[] = [];
  const features: FeatureMask[] = [];
  const requirements: FeatureRequirement[] = [];
  let complete = false;
  const seen = new Set<string>();
  const once = (key: string, value: string, canonical: string): void => {
    if (seen.has(canonical.toLowerCase())) throw maskInvalid(key, value, "the key is given twice");
    seen.add(canonical.toLowerCase());
  };
  for (const [key, value] of entries) {
    if (isRegisterMaskKey(key)) {
      const mask = parseRegisterMask(key, value);
      once(key, value, registerMaskKey(mask));
      registers.push(mask);
    } else if (startsWith(key, featureMaskPrefix)) {
      const mask = parseFeatureMask(key, value);
      once(key, value, featureMaskPrefix + mask.name);
      features.push(mask);
    } else if (startsWith(key, requirementPrefix)) {
      const requirement = parseFeatureRequirement(key, value);
      once(key, value, requirementPrefix + requirement.name);
      requirements.push(requirement);
    } else if (key.toLowerCase() === completeKey.toLowerCase()) {
      once(key, value, completeKey);
      complete = truthOf(key, value);
    } else {
      throw maskInvalid(
        key,
        value,
        `expected a key like cpuid.1.ecx, ${featureMaskPrefix}cpuid.AES, ${requirementPrefix}cpuid.AES or ${completeKey}`,
      );
    }
  }
  return { registers, features, requirements, complete };
}

/** Keys with values, in VMware's spelling: registers, features, requirements. */
export const maskEntries = ({
  registers,
  features,
  requirements,
  complete,
}: Masks): readonly (readonly [string, string])[] => [
  ...registers.map((mask) => [registerMaskKey(mask), maskBitsText(mask.bits)] as const),
  ...features.map((mask) => [featureMaskPrefix + mask.name, featureMaskText(mask)] as const),
  ...requirements.map((one) => [requirementPrefix + one.name, featureRequirementText(one)] as const),
  ...(complete ? [[completeKey, "TRUE"] as const] : []),
];

function truthOf(key: string, value: string): boolean {
  const word = value.trim().toUpperCase();
  if (word !== "TRUE" && word !== "FALSE") throw maskInvalid(key, value, "expected TRUE or FALSE");
  return word === "TRUE";
}
