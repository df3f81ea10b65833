/**
 * What a VM's memory is made of: huge pages of its host, and the NUMA nodes that its guest sees, with their vCPUs. Both hold from power-on to power-off, at
 * each host alike.
 */
import { z } from "zod";
import { topologyProblems } from "../cpu-topology.ts";
import type { CpuTopology } from "./cpu-topology.ts";

/** The sizes that x86 has. */
export const hugepageSizeSchema = z.enum(["2M", "1G"]);
export type HugepageSize = z.infer<typeof hugepageSizeSchema>;
export const hugepageMib: Readonly<Record<HugepageSize, number>> = { "2M": 2, "1G": 1024 };

export const mostNumaNodes = 16;

/** A NUMA node of the guest. Its vCPUs are numbered on from those of the node before. */
export const numaNodeSchema = z.strictObject({
  vcpus: z.int().min(1),
  memoryMib: z.int().min(1),
  /** The NUMA node of its host that the memory is bound to; absent: any. */
  hostNode: z.int().min(0).max(1023).optional(),
});
export const numaSchema = z.array(numaNodeSchema).min(1).max(mostNumaNodes);
export type NumaNode = z.infer<typeof numaNodeSchema>;

export interface MemoryLayout {
  memoryMib: number;
  vcpus: number;
  hugepages?: HugepageSize | undefined;
  numa?: readonly NumaNode[] | undefined;
  topology?: CpuTopology | undefined;
}

/** Whether it has what agents of before did not know. */
export const hasMemoryLayout = ({ hugepages, numa }: Pick<MemoryLayout, "hugepages" | "numa">): boolean =>
  hugepages !== undefined || numa !== undefined;

/** How many huge pages its memory is; null: it is of ordinary ones. */
export const hugepagesOf = ({ memoryMib, hugepages }: Pick<MemoryLayout, "memoryMib" | "hugepages">) =>
  hugepages === undefined ? null : { size: hugepages, pages: memoryMib / hugepageMib[hugepages] };

/** Nodes of the host that its memory is bound to. */
export const hostNodesOf = ({ numa = [] }: Pick<MemoryLayout, "numa">): number[] => [
  ...new Set(numa.flatMap(({ hostNode }) => hostNode ?? [])),
];

/** What of it does not fit together: the field, and a sentence's end. */
export function memoryProblems({ memoryMib, vcpus, hugepages, numa, topology }: MemoryLayout) {
  const problem = (field: string, message: string) => ({ path: [field], message });
  const sum = (of: "vcpus" | "memoryMib") => (numa ?? []).reduce((all, node) => all + node[of], 0);
  const parts = numa?.map((node) => node.memoryMib) ?? [memoryMib];
  return [
    ...(numa !== undefined && sum("vcpus") !== vcpus
      ? [
          problem(
            "numa",
            `its nodes have ${String(sum("vcpus"))} vCPUs together, and the VM has ${String(vcpus)}`,
          ),
        ]
      : []),
    ...(numa !== undefined && sum("memoryMib") !== memoryMib
      ? [
          problem(
            "numa",
            `its nodes have ${String(sum("memoryMib"))} MiB together, and the VM has ${String(memoryMib)}`,
          ),
        ]
      : []),
    ...(hugepages !== undefined && parts.some((mib) => mib % hugepageMib[hugepages] !== 0)
      ? [
          problem(
            "hugepages",
            `${numa === undefined ? "the memory" : "the memory of each NUMA node"} must be a multiple of ${String(hugepageMib[hugepages])} MiB`,
          ),
        ]
      : []),
    ...topologyProblems({ vcpus, topology, numa }),
  ];
}

/** What a host has of huge pages of a size. */
export const hugepageFactsSchema = z.object({ size: hugepageSizeSchema, pages: z.int().min(0) });
/** Those that nobody has taken or was promised. */
export const hugepageLoadSchema = z.object({ size: hugepageSizeSchema, freePages: z.int().min(0) });
export type HugepageLoad = z.infer<typeof hugepageLoadSchema>;
