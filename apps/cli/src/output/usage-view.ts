/** What VMs use, for people. Pure. */
import type { VmUsage, VmUsageOver } from "@godwit/contract";
import { formatBytes } from "./format.ts";

/** CPUs in use, like `2.5`. */
export const usedText = (usedCpus: number | null, unknown: string): string => usedCpus?.toFixed(1) ?? unknown;

export const rateText = (bytesPerSecond: number | null): string =>
  bytesPerSecond === null ? "unknown" : `${((bytesPerSecond * 8) / 1e6).toFixed(1)} Mbit/s`;

/** What is nothing worth telling, or not told, is left out. */
export function usageText(usage: VmUsage): string {
  const { usedCpus, residentBytes, readyCpus, swappedBytes } = usage;
  return [
    `${usedText(usedCpus, "unknown")} CPUs`,
    ...readyText(readyCpus),
    ...(residentBytes === null ? [] : [`${formatBytes(residentBytes)} in RAM`]),
    ...(swappedBytes == null || swappedBytes === 0 ? [] : [`${formatBytes(swappedBytes)} in swap`]),
    ...storageText(usage.diskReadBytesPerSecond, usage.diskWrittenBytesPerSecond),
    ...networkText(usage.receivedBytesPerSecond, usage.sentBytesPerSecond),
  ].join(", ");
}

/** Of a while that is over. */
export const usageOverText = (over: VmUsageOver): string =>
  [
    `${over.cpus.toFixed(1)} CPUs on average, ${over.peakCpus.toFixed(1)} at most`,
    ...readyText(over.readyCpus),
    ...(over.diskBytesPerSecond === null ? [] : [`disk ${formatBytes(over.diskBytesPerSecond)}/s`]),
    ...(over.networkBytesPerSecond === null ? [] : [`network ${rateText(over.networkBytesPerSecond)}`]),
    `measured for ${String(Math.round(over.seconds / 60))} min`,
  ].join(", ");

/** Less than a hundredth of a CPU is nothing. */
const readyText = (readyCpus: number | null | undefined): string[] =>
  readyCpus == null || readyCpus < 0.005 ? [] : [`${readyCpus.toFixed(2)} waiting for a CPU`];

const storageText = (read: number | null | undefined, written: number | null | undefined): string[] =>
  read == null || written == null
    ? []
    : [`disk ${formatBytes(read)}/s read, ${formatBytes(written)}/s written`];

const networkText = (received: number | null | undefined, sent: number | null | undefined): string[] =>
  received == null || sent == null ? [] : [`network ${rateText(received)} in, ${rateText(sent)} out`];
