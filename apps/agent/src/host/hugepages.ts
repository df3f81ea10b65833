/** The huge pages that this host has set aside, and its NUMA nodes, as the kernel tells them. */
import { readFileSync } from "node:fs";
import type { HostFacts, HugepageLoad, HugepageSize } from "@godwit/contract";
import { cpusOf } from "../vms/cpu-affinity.ts";

const folders: readonly [HugepageSize, string][] = [
  ["2M", "hugepages-2048kB"],
  ["1G", "hugepages-1048576kB"],
];

/** Of sizes that this kernel and CPU have. */
function read<T>(make: (size: HugepageSize, count: (file: string) => number) => T): T[] {
  return folders.flatMap(([size, folder]) => {
    const count = (file: string): number =>
      Number(readFileSync(`/sys/kernel/mm/hugepages/${folder}/${file}`, "utf8"));
    try {
      return [make(size, count)];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  });
}

export const hugepageFacts = (): HostFacts["memory"]["hugepages"] =>
  read((size, count) => ({ size, pages: count("nr_hugepages") }));

/** Those that are reserved are free, and somebody's. */
export const hugepageLoad = (): HugepageLoad[] =>
  read((size, count) => ({
    size,
    freePages: Math.max(0, count("free_hugepages") - count("resv_hugepages")),
  }));

/** A kernel without NUMA has none of the files, and one node. */
export function numaNodes(): number[] {
  try {
    return [...cpusOf(readFileSync("/sys/devices/system/node/online", "utf8").trim())];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [0];
    throw error;
  }
}
