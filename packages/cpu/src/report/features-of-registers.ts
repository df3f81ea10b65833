/** The features that a guest sees, from the words of its own CPUID. */
import { bitOf, type Register } from "../cpuid/leaves.ts";
import { features } from "../features/features.ts";

/** @returns names of the feature table, sorted; a word that is not given counts as zero */
export function featuresOfRegisters(
  words: readonly { leaf: number; subleaf: number; register: Register; value: number }[],
): string[] {
  const valueOf = new Map(words.map((word) => [keyOf(word), word.value]));
  return features
    .filter((feature) => !feature.runtime && bitOf(valueOf.get(keyOf(feature)) ?? 0, feature.bit))
    .map(({ name }) => name)
    .sort();
}

const keyOf = (place: { leaf: number; subleaf: number; register: Register }): string =>
  `${String(place.leaf)}.${String(place.subleaf)}.${place.register}`;
