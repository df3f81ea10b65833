/** A model-specific register as AIDA64 prints it: `MSR 000000CE: 0008-0838-F381-1C00`, or `< FAILED >`. */
import type { MsrValue } from "../cpuid/leaves.ts";

const msrLine =
  /^\s*MSR ([0-9a-f]{8})\s*:?\s*(?:([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})|(< FAILED >))/i;

/** null: the line is none. */
export function msrIn(line: string): MsrValue | null {
  const match = msrLine.exec(line);
  if (match === null) return null;
  const [, number = "", a = "", b = "", c = "", d = "", failed] = match;
  return {
    msr: Number.parseInt(number, 16),
    value: failed === undefined ? BigInt(`0x${a}${b}${c}${d}`) : null,
  };
}
