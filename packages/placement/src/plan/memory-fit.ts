/** Whether a host can start a VM with the huge pages and the NUMA nodes that it describes. Ordinary memory is counted by the planner. */
import { finding, hostNodesOf, hugepagesOf, type Vm } from "@godwit/contract";
import type { HostReport } from "@godwit/requirements";

/**
 * @param pages those that are free now, or all that are set aside, where others may have them now
 * @returns why it cannot; null: it can
 */
export function memoryMisfit(vm: Vm, { facts, load }: HostReport, pages: "free" | "all"): string | null {
  const { name: host, memory } = facts;
  const needed = hugepagesOf(vm);
  if (needed !== null) {
    const { size, pages: neededPages } = needed;
    const all = memory.hugepages?.find((one) => one.size === size)?.pages ?? 0;
    const free = load.memory?.hugepages?.find((one) => one.size === size)?.freePages ?? 0;
    const freePages = pages === "free" ? free : all;
    if (freePages < neededPages)
      return finding("HUGEPAGES_SHORT", { vm: vm.name, host, size, neededPages, freePages }).message;
  }
  const nodes = hostNodesOf(vm);
  const available = memory.numaNodes ?? [];
  if (nodes.every((node) => available.includes(node))) return null;
  return finding("NUMA_NODE_UNAVAILABLE", { vm: vm.name, host, nodes, available }).message;
}
