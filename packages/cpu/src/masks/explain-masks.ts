/**
 * What masks come to, bit by bit, in words: what the guest sees, what is checked when the VM is powered on,
 * what a move checks, and which of the layers says so.
 */
import { applyMasks, bitPlace, type Bit, type MaskedBit } from "./apply-masks.ts";
import { hostDefault, type HostDefaultSet } from "./host-defaults.ts";
import { maskMeanings, type MaskCharacter } from "./mask-character.ts";
import { compose, emptyLayer, layerOf, registerKey, type MaskLayer } from "./mask-layer.ts";
import type { Masks } from "./masks.ts";
import type { MaskVendor } from "./register-mask.ts";
import type { Cpu } from "../cpuid/cpu.ts";

export type MaskOrigin = "host default" | "guest default" | "VM";

export interface ExplainedBit {
  /** `CPUID.1:ECX[26]`. */
  readonly place: string;
  /** QEMU's name, and VMware's. */
  readonly feature: string | null;
  readonly vmware: string | null;
  readonly character: Exclude<MaskCharacter, "-">;
  readonly origin: MaskOrigin;
  /** What the host has, and what the guest would see there; null: not known, or no host given. */
  readonly host: Bit;
  readonly sees: Bit;
  readonly hiddenBy: string | null;
  readonly guest: string;
  /** Null: nothing is checked. */
  readonly powerOn: string | null;
  readonly move: string | null;
}

export interface MaskLayers {
  readonly hostDefault: MaskLayer;
  readonly guestDefault: MaskLayer;
  readonly vm: MaskLayer;
}

/** The three layers of a VM with these masks, the lowest first. */
export const layersOf = (
  masks: Masks,
  vendor: MaskVendor | null,
  defaults: HostDefaultSet = "current",
): MaskLayers => ({
  hostDefault: hostDefault(vendor, defaults),
  guestDefault: emptyLayer,
  vm: layerOf(masks, vendor),
});

/** The layers as one: what holds for the VM. */
export const effectiveLayer = ({ hostDefault: host, guestDefault, vm }: MaskLayers): MaskLayer =>
  compose(host, guestDefault, vm);

/**
 * Every named or masked bit, in the order of registers, bit 31 first.
 * @param host where the VM would be powered on; null: none is given
 */
export function explainMasks(layers: MaskLayers, host: Cpu | null): ExplainedBit[] {
  return applyMasks(effectiveLayer(layers), host)
    .map((one) => explained(layers, one))
    .sort((a, b) => a.order - b.order)
    .map(({ order: _, ...bit }) => bit);
}

function explained(layers: MaskLayers, one: MaskedBit): ExplainedBit & { order: number } {
  const { place, bit, feature, character, hiddenBy } = one;
  const meaning = maskMeanings[character];
  return {
    order:
      ((place.leaf * 256 + place.subleaf) * 4 + ["eax", "ebx", "ecx", "edx"].indexOf(place.register)) * 32 +
      (31 - bit),
    place: bitPlace(place, bit),
    feature: feature?.name ?? null,
    vmware: feature?.vmware ?? null,
    character,
    origin: originOf(layers, one),
    host: one.host,
    sees: one.sees,
    hiddenBy,
    guest: guestWords(one),
    powerOn: meaning.powerOn === null ? null : `the host's bit must be ${String(meaning.powerOn)}`,
    move:
      hiddenBy !== null || meaning.move === null
        ? null
        : meaning.move === "equal"
          ? "source and destination must be alike"
          : `the destination's bit must be ${String(meaning.move)}`,
  };
}

function guestWords({ character, hiddenBy, sees }: MaskedBit): string {
  if (hiddenBy !== null) return `0, because ${hiddenBy} is hidden`;
  const { guest } = maskMeanings[character];
  if (guest !== "host") return String(guest);
  return sees === null ? "what the host has" : `${String(sees)}, what the host has`;
}

function originOf({ vm, guestDefault }: MaskLayers, { place, bit }: MaskedBit): MaskOrigin {
  const says = (layer: MaskLayer): boolean => (layer.get(registerKey(place))?.[bit] ?? "-") !== "-";
  return says(vm) ? "VM" : says(guestDefault) ? "guest default" : "host default";
}
