/** This host's memory: how much there is, and how much is available. */
import type { HostFacts, MemoryLoad } from "@godwit/contract";
import { hugepageFacts, hugepageLoad, numaNodes } from "./hugepages.ts";
import { pressurePercent, readProc } from "./proc.ts";

/** @throws Error when the kernel does not tell */
export function memoryFacts(): HostFacts["memory"] {
  return { totalBytes: bytesOf("MemTotal"), hugepages: hugepageFacts(), numaNodes: numaNodes() };
}

/** @throws Error when the kernel does not tell */
export function memoryLoad(): MemoryLoad {
  return {
    availableBytes: bytesOf("MemAvailable"),
    pressurePercent: pressurePercent("memory"),
    hugepages: hugepageLoad(),
  };
}

function bytesOf(name: string): number {
  const kib = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(readProc("meminfo"))?.[1];
  if (kib === undefined) throw new Error(`/proc/meminfo has no ${name}`);
  return Number(kib) * 1024;
}
