/**
 * A mask of one CPUID register as it stands in a VM's configuration:
 * `cpuid.1.ecx = "----:----:----:----:----:----:----:---R"`, for one vendor `cpuid.80000001.edx.amd`.
 * VMware knows no subleaf in a key; `cpuid.7.1.eax` is Godwit's own extension of it, and no subleaf means 0.
 */
import type { Register } from "../cpuid/leaves.ts";
import { maskCharacter, maskCharacterList, type MaskCharacter } from "./mask-character.ts";
import { maskInvalid } from "./mask-invalid.ts";

export type MaskVendor = "intel" | "amd";

export interface RegisterPlace {
  readonly leaf: number;
  readonly subleaf: number;
  readonly register: Register;
}

/** 32 characters; the index is the bit's number. */
export type MaskBits = readonly MaskCharacter[];

export interface RegisterMask extends RegisterPlace {
  /** Null: for every vendor. */
  readonly vendor: MaskVendor | null;
  readonly bits: MaskBits;
}

const keyForm = /^cpuid\.([0-9a-f]{1,8})(?:\.([0-9a-f]{1,8}))?\.(e[abcd]x)(?:\.(intel|amd))?$/;

/** Whether a key of a VM's configuration means to be a register's mask; `cpuid.coresPerSocket` does not. */
export const isRegisterMaskKey = (key: string): boolean => /^cpuid\..*\be[a-z]x\b/i.test(key);

/**
 * @param key in any case of letters
 * @throws MASK_INVALID when the key or a character is none, naming its position and bit
 */
export function parseRegisterMask(key: string, value: string): RegisterMask {
  const parts = keyForm.exec(key.trim().toLowerCase());
  if (parts === null) {
    throw maskInvalid(
      key,
      value,
      "the key must be cpuid.LEAF.REGISTER with a hexadecimal leaf (no 0x), one of eax ebx ecx edx, and .intel or .amd at most, like cpuid.80000001.edx.amd",
    );
  }
  const [, leaf = "", subleaf = "0", register, vendor] = parts;
  return {
    leaf: Number.parseInt(leaf, 16),
    subleaf: Number.parseInt(subleaf, 16),
    register: register as Register,
    vendor: (vendor as MaskVendor | undefined) ?? null,
    bits: parseBits(key, value),
  };
}

/** `cpuid.7.ecx`, and the subleaf only where it is not 0. */
export const registerMaskKey = ({ leaf, subleaf, register, vendor }: Omit<RegisterMask, "bits">): string =>
  [
    "cpuid",
    leaf.toString(16),
    ...(subleaf === 0 ? [] : [subleaf.toString(16)]),
    register,
    ...(vendor === null ? [] : [vendor]),
  ].join(".");

/** Eight groups of four, bit 31 first. */
export const maskBitsText = (bits: MaskBits): string => groupsOf([...bits].reverse().join("")).join(":");

/** The same for each bit. */
export const uniformBits = (character: MaskCharacter): MaskBits =>
  Array.from({ length: 32 }, () => character);

const groupsOf = (text: string): string[] => text.match(/.{4}/g) ?? [];

function parseBits(key: string, value: string): MaskBits {
  const text = value.trim();
  const characters = Array.from(text);
  let bit = 31;
  const bits: MaskCharacter[] = [];
  for (const [index, character] of characters.entries()) {
    if (character === ":") continue;
    const known = maskCharacter(character);
    if (known === null) throw maskInvalid(key, value, badCharacter(character, index + 1, bit));
    bits.unshift(known);
    bit -= 1;
  }
  const groups = text.split(":");
  if (groups.length === 1) {
    if (bits.length !== 32) {
      throw maskInvalid(
        key,
        value,
        `it has ${String(bits.length)} characters; expected 32, in 8 groups of 4 with colons between them, bit 31 first`,
      );
    }
    return bits;
  }
  const wrong = groups.findIndex((group) => Array.from(group).length !== 4);
  if (wrong !== -1) {
    const length = Array.from(groups[wrong] ?? "").length;
    throw maskInvalid(key, value, `group ${String(wrong + 1)} has ${String(length)} characters; expected 4`);
  }
  if (groups.length !== 8) {
    throw maskInvalid(key, value, `it has ${String(groups.length)} groups of 4; expected 8, bit 31 first`);
  }
  return bits;
}

function badCharacter(character: string, position: number, bit: number): string {
  const where = `at position ${String(position)}${bit < 0 ? "" : ` (bit ${String(bit)})`}`;
  return character.toUpperCase() === "I"
    ? `I (install) ${where} has no documented meaning; say 0, 1, H or X instead, whichever was meant`
    : `"${character}" ${where} is no mask character; expected one of ${maskCharacterList}`;
}
