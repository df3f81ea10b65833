/**
 * The characters of VMware's CPU masks and what each of them means for one bit: what the guest sees, what the
 * host must have when the VM is powered on, what a live move asks of the destination. Source: the descriptions
 * of HostCpuIdInfo in VMware's public API, and the mask kinds in open-vm-tools' CPUID list of 2008.
 */

/** `-` passes: the next mask below decides. */
export type MaskCharacter = "0" | "1" | "H" | "R" | "T" | "F" | "X" | "-";

export interface MaskMeaning {
  /** A constant, or what the host has when the VM is powered on there. */
  readonly guest: 0 | 1 | "host";
  /** What the host's bit must be at power-on; null: anything. */
  readonly powerOn: 0 | 1 | null;
  /** What a live move asks: both hosts alike, a value at the destination, or nothing. */
  readonly move: "equal" | 0 | 1 | null;
}

/** Read this table before any code. */
export const maskMeanings: Readonly<Record<Exclude<MaskCharacter, "-">, MaskMeaning>> = {
  "0": { guest: 0, powerOn: null, move: null },
  "1": { guest: 1, powerOn: null, move: null },
  H: { guest: "host", powerOn: null, move: "equal" },
  R: { guest: 0, powerOn: null, move: "equal" },
  T: { guest: "host", powerOn: 1, move: 1 },
  F: { guest: "host", powerOn: 0, move: 0 },
  X: { guest: "host", powerOn: null, move: null },
};

/** For messages. */
export const maskCharacterList = "0 1 H R T F X -";

/** Letters of either case. @returns null: no character of a mask that has a known meaning */
export function maskCharacter(text: string): MaskCharacter | null {
  const upper = text.toUpperCase();
  return upper === "-" || upper in maskMeanings ? (upper as MaskCharacter) : null;
}
