/** What Intel's IA32_ARCH_CAPABILITIES (MSR 0x10A) says of a CPU, by the names that QEMU has for its bits. */
import type { MsrValue } from "../cpuid/leaves.ts";

const names: readonly (readonly [bit: number, name: string])[] = [
  ...([
    [0, "rdctl-no"],
    [1, "ibrs-all"],
    [2, "rsba"],
    [3, "skip-l1dfl-vmentry"],
    [4, "ssb-no"],
  ] as const),
  ...([
    [5, "mds-no"],
    [6, "pschange-mc-no"],
    [7, "tsx-ctrl"],
    [8, "taa-no"],
    [13, "sbdr-ssdp-no"],
  ] as const),
  ...([
    [14, "fbsdp-no"],
    [15, "psdp-no"],
    [17, "fb-clear"],
    [20, "bhi-no"],
    [24, "pbrsb-no"],
    [26, "gds-no"],
  ] as const),
  ...([
    [27, "rfds-no"],
    [28, "rfds-clear"],
    [62, "its-no"],
  ] as const),
];

/** In the order of the bits; null: the register was not read. */
export function archCapabilitiesOf(msrs: readonly MsrValue[]): string[] | null {
  const value = msrs.find(({ msr }) => msr === 0x10a)?.value ?? null;
  if (value === null) return null;
  return names.filter(([bit]) => (value >> BigInt(bit)) % 2n === 1n).map(([, name]) => name);
}
