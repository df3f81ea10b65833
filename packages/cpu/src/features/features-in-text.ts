/**
 * The features that an error of QEMU or libvirt names, as people paste it: QEMU's places (`CPUID.07H:EBX.hle [bit 4]`)
 * and libvirt's lists (`missing features: erms,vaes`). Names that are no bit of CPUID are given back as they are.
 */
import type { CpuFeature } from "./feature.ts";
import { featureNamed, features } from "./features.ts";

export interface NamedInText {
  /** As the text has it. */
  readonly name: string;
  /** null: it is no named bit of CPUID, like `vmx-ept`. */
  readonly feature: CpuFeature | null;
}

const place =
  /CPUID(?:\.([0-9a-f]{1,8})H|\[eax=([0-9a-f]{1,8})h(?:,\s*ecx=([0-9a-f]{1,8})h)?\])[:.](e[abcd]x)(?:\.([\w.-]+))?\s*\[bits? (\d{1,2})/gi;
const lists =
  /(?:missing|extra|required|requested|unknown CPU|unsupported|disabled) features?\s*:\s*(?!CPUID[.[]|MSR\()([\w.-]+(?:\s*,\s*[\w.-]+)*)/gi;
const property = /Property '[\w.-]*-cpu\.([\w.-]+)' not found/gi;
const modelSpecific = /MSR\([0-9a-f]{1,8}H\)\.([\w.-]+)/gi;

/** In the order of the text, each once; empty where it names none. */
export function featuresInText(text: string): NamedInText[] {
  const found: (NamedInText & { readonly at: number })[] = [];
  for (const match of text.matchAll(place)) {
    const [, plain, eax, ecx, register = "", name, bit] = match;
    const leaf = Number.parseInt(plain ?? eax ?? "", 16);
    const subleaf = ecx === undefined ? null : Number.parseInt(ecx, 16);
    const byPlace = features.find(
      (one) =>
        one.leaf === leaf &&
        (subleaf === null || one.subleaf === subleaf) &&
        one.register === register.toLowerCase() &&
        one.bit === Number(bit),
    );
    // QEMU's older messages leave out the subleaf: there the name decides.
    const feature = (name === undefined ? undefined : featureNamed(name)) ?? byPlace ?? null;
    found.push({ at: match.index, name: name ?? byPlace?.name ?? match[0], feature });
  }
  for (const form of [lists, property, modelSpecific])
    for (const match of text.matchAll(form))
      for (const name of (match[1] ?? "").split(/\s*,\s*/))
        found.push({ at: match.index, name, feature: featureNamed(name) ?? null });
  found.sort((a, b) => a.at - b.at);
  const seen = new Set<string>();
  return found.flatMap(({ name, feature }) => {
    const key = feature?.name ?? name;
    if (seen.has(key)) return [];
    seen.add(key);
    return [{ name, feature }];
  });
}
