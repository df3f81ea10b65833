/** How a guest sees its vCPUs: as threads of cores of sockets. Apart from the schema, for commands that start quickly. Pure. */
import type { CpuTopology } from "./schemas/cpu-topology.ts";

/** How many vCPUs that is. */
export const vcpusOf = ({ sockets, cores, threads }: CpuTopology): number => sockets * cores * threads;

/** In words: `2 sockets × 4 cores × 1 thread`. */
export function topologyText({ sockets, cores, threads }: CpuTopology): string {
  const counted = (count: number, word: string) => `${String(count)} ${word}${count === 1 ? "" : "s"}`;
  return [counted(sockets, "socket"), counted(cores, "core"), counted(threads, "thread")].join(" × ");
}

export interface LaidOutCpus {
  vcpus: number;
  topology?: CpuTopology | undefined;
  numa?: readonly { vcpus: number }[] | undefined;
}

/** What of it does not fit together: the field, and a sentence's end. No socket is in two NUMA nodes: guests would find its caches in both. */
export function topologyProblems({ vcpus, topology, numa = [] }: LaidOutCpus) {
  if (topology === undefined) return [];
  const problem = (message: string) => ({ path: ["topology"], message });
  const made = vcpusOf(topology);
  if (made !== vcpus)
    return [
      problem(
        `${topologyText(topology)} ${made === 1 ? "is 1 vCPU" : `are ${String(made)} vCPUs`}, and the VM has ${String(vcpus)}`,
      ),
    ];
  const ofSocket = topology.cores * topology.threads;
  return numa.every((node) => node.vcpus % ofSocket === 0)
    ? []
    : [
        problem(
          `a socket has ${String(ofSocket)} vCPUs, and each NUMA node must have whole sockets: a multiple of ${String(ofSocket)} vCPUs`,
        ),
      ];
}
