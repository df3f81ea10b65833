/**
 * Masks lie over each other: the host's default, then the guest OS's, then the VM's own. In each bit the
 * topmost character that is not `-` decides. A layer is made for one vendor; its vendor's keys lie over the
 * keys for all.
 */
import type { CpuFeature } from "../features/feature.ts";
import { features } from "../features/features.ts";
import { characterOf, featureOfMaskName } from "./feature-mask.ts";
import type { MaskCharacter } from "./mask-character.ts";
import type { Masks } from "./masks.ts";
import { uniformBits, type MaskBits, type MaskVendor, type RegisterPlace } from "./register-mask.ts";

/** By `registerKey`. A register that is not in it passes in every bit. */
export type MaskLayer = ReadonlyMap<string, MaskBits>;

/** Asks for nothing. VMware's guest descriptors are such layers: they know no guest that must not see a bit. */
export const emptyLayer: MaskLayer = new Map();

/** `7.1.eax`: leaf and subleaf in hexadecimal. */
export const registerKey = ({ leaf, subleaf, register }: RegisterPlace): string =>
  `${leaf.toString(16)}.${subleaf.toString(16)}.${register}`;

export function placeOfKey(key: string): RegisterPlace {
  const [leaf = "", subleaf = "", register] = key.split(".");
  return {
    leaf: Number.parseInt(leaf, 16),
    subleaf: Number.parseInt(subleaf, 16),
    register: register as RegisterPlace["register"],
  };
}

/** The layers over each other, the lowest first. The empty layer changes nothing; grouping does not matter. */
export function compose(...layers: readonly MaskLayer[]): MaskLayer {
  const result = new Map<string, MaskBits>();
  for (const layer of layers) {
    for (const [key, above] of layer) {
      const below = result.get(key);
      result.set(
        key,
        below === undefined ? above : above.map((one, bit) => (one === "-" ? (below[bit] ?? "-") : one)),
      );
    }
  }
  return result;
}

/** `X` where no layer says anything: the guest sees what its host has, and nobody compares it. */
export function characterAt(
  layer: MaskLayer,
  place: RegisterPlace,
  bit: number,
): Exclude<MaskCharacter, "-"> {
  const character = layer.get(registerKey(place))?.[bit] ?? "-";
  return character === "-" ? "X" : character;
}

/**
 * A VM's masks as one layer: what is complete without being named, the features' masks over it, the registers'
 * over these, the vendor's own on top.
 * @param vendor of the CPU that the guest is to see; null: not known, and the keys of one vendor do not count
 */
export function layerOf(masks: Masks, vendor: MaskVendor | null): MaskLayer {
  const layers: MaskLayer[] = [];
  if (masks.complete) {
    layers.push(bitsLayer(features.filter(isMaskable).map((feature) => [feature, feature.bit, "0"])));
  }
  for (const mask of masks.features) {
    const feature = featureOfMaskName(mask.name, vendor);
    if (feature !== undefined) layers.push(bitsLayer([[feature, feature.bit, characterOf(mask)]]));
  }
  for (const owner of vendor === null ? [null] : [null, vendor]) {
    for (const mask of masks.registers) {
      if (mask.vendor === owner) layers.push(new Map([[registerKey(mask), mask.bits]]));
    }
  }
  return compose(...layers);
}

/**
 * What complete masks are complete of: the features that come and go between CPUs. Not what every 64-bit CPU
 * has (leaf 1's EDX, apart from DS, SS and the serial number), and not what the hypervisor itself provides.
 */
function isMaskable({ name, leaf, register, runtime, vmware }: CpuFeature): boolean {
  if (vmware === null || runtime || ownedByHypervisor.has(name)) return false;
  return leaf !== 1 || register !== "edx" || comesAndGoes.has(name);
}

const comesAndGoes = new Set(["ds", "ss", "pn"]);

const ownedByHypervisor = new Set([
  "hypervisor",
  "x2apic",
  "tsc-deadline",
  "arat",
  "tsc-adjust",
  "cmp-legacy",
  "topoext",
  "syscall",
  "xcr0-master-legacy-fp",
]);

/** A layer that speaks of these bits only. */
export function bitsLayer(
  bits: Iterable<readonly [place: RegisterPlace, bit: number, character: MaskCharacter]>,
): MaskLayer {
  const result = new Map<string, MaskCharacter[]>();
  for (const [place, bit, character] of bits) {
    const key = registerKey(place);
    const register = result.get(key) ?? [...uniformBits("-")];
    register[bit] = character;
    result.set(key, register);
  }
  return result;
}
