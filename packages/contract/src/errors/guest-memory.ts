/** Errors about a VM's memory: huge pages, NUMA nodes, balloons, and what is plugged in while it runs. */
import { memoryStepMib, type GrowthProblem } from "../memory-growth.ts";
import { memorySlots } from "../memory-slots.ts";
import { define } from "./define.ts";

const folder: Readonly<Record<"2M" | "1G", string>> = {
  "2M": "/sys/kernel/mm/hugepages/hugepages-2048kB",
  "1G": "/sys/kernel/mm/hugepages/hugepages-1048576kB",
};

interface MemoryFixed {
  vm: string;
  reason: GrowthProblem;
  nowMib: number;
  wantedMib: number;
  /** Null: it has none. */
  maxMib: number | null;
}

const whyFixed: Readonly<Record<GrowthProblem, (d: MemoryFixed) => string>> = {
  shrinks: () => "memory is only added while a VM runs",
  noMaximum: () => "it was powered on without a maximum, up to which memory could be added",
  aboveMaximum: (d) => `its maximum is ${String(d.maxMib ?? 0)} MiB`,
  step: () => `memory is added in multiples of ${String(memoryStepMib)} MiB`,
  emulated: () =>
    "it is emulated, and QEMU loses sight of memory that was added when an emulated guest is moved",
  slotsUsed: () =>
    `memory was added ${String(memorySlots)} times since it was powered on, and no slot is free`,
};

const stopAndSet = ({ vm, wantedMib }: MemoryFixed): string =>
  `stop the VM and change its memory then: godwit vm stop ${vm}, godwit vm set ${vm} --memory ${String(wantedMib)}MiB`;

function otherStep(d: MemoryFixed): string {
  const steps = Math.max(1, Math.round((d.wantedMib - d.nowMib) / memoryStepMib));
  return `Add ${String(steps * memoryStepMib)} MiB: godwit vm set ${d.vm} --memory ${String(d.nowMib + steps * memoryStepMib)}MiB; or ${stopAndSet(d)}`;
}

const whatInstead: Readonly<Record<GrowthProblem, (d: MemoryFixed) => string>> = {
  shrinks: (d) =>
    `Where it has a balloon, let its guest give memory back: godwit vm set ${d.vm} --memory-target ${String(d.wantedMib)}MiB; or ${stopAndSet(d)}`,
  noMaximum: (d) =>
    `S${stopAndSet(d).slice(1)}; with --max-memory beside --memory, memory is added while it runs from its next start on.`,
  aboveMaximum: (d) =>
    `Name less; or stop the VM and give it more, and a larger maximum, then: godwit vm stop ${d.vm}, godwit vm set ${d.vm} --memory ${String(d.wantedMib)}MiB --max-memory ${String(d.wantedMib)}MiB`,
  step: otherStep,
  emulated: (d) => `S${stopAndSet(d).slice(1)}`,
  slotsUsed: (d) => `S${stopAndSet(d).slice(1)}; from its next start on all slots are free.`,
};

export const guestMemoryErrors = {
  VM_MEMORY_FIXED: define<MemoryFixed>(
    409,
    "after-fix",
    (d) =>
      `VM ${d.vm} has ${String(d.nowMib)} MiB of memory and does not get ${String(d.wantedMib)} MiB while it runs: ${whyFixed[d.reason](d)}.`,
    (d) => whatInstead[d.reason](d),
  ),
  VM_MEMORY_ORDER: define<{ vm: string }>(
    409,
    "after-fix",
    (d) =>
      `VM ${d.vm} is emulated, and its QEMU was started by an earlier version, with a NUMA node first that is not the largest: it could end itself while it sends the VM's memory.`,
    (d) =>
      `Stop the VM and start it again; from then on the largest comes first: godwit vm stop ${d.vm}, godwit vm start ${d.vm}`,
  ),
  HUGEPAGES_SHORT: define<{
    vm: string;
    host: string;
    size: "2M" | "1G";
    neededPages: number;
    freePages: number;
  }>(
    409,
    "after-fix",
    (d) =>
      `VM ${d.vm} needs ${String(d.neededPages)} huge pages of ${d.size}, and host ${d.host} has ${String(d.freePages)} free.`,
    (d) =>
      `Set more aside on ${d.host} (${folder[d.size]}/nr_hugepages), choose another host, or stop the VM and take it off huge pages: godwit vm set ${d.vm} --hugepages none`,
  ),
  VM_NUMA_BINDING: define<{ vm: string; host: string; nodes: number[] }>(
    409,
    "after-fix",
    (d) =>
      `The memory of VM ${d.vm} is bound to NUMA ${d.nodes.length === 1 ? "node" : "nodes"} ${d.nodes.join(", ")} of host ${d.host}.`,
    (d) =>
      `Stop the VM and take hostNode out of numa (godwit vm edit ${d.vm}); without it the guest's NUMA nodes stay, and the VM moves.`,
    "AffinityConfigured",
  ),
  BALLOON_MISSING: define<{ vm: string; host: string }>(
    409,
    "after-fix",
    (d) => `VM ${d.vm} runs on host ${d.host} without a balloon, by which its guest could give memory back.`,
    (d) =>
      `Stop it first (godwit vm stop ${d.vm}): with a target that is set then, it has one from its next start.`,
  ),
  NUMA_NODE_UNAVAILABLE: define<{ vm: string; host: string; nodes: number[]; available: number[] }>(
    409,
    "after-fix",
    (d) =>
      `The memory of VM ${d.vm} is bound to NUMA ${d.nodes.length === 1 ? "node" : "nodes"} ${d.nodes.join(", ")}, and host ${d.host} has ${d.available.join(", ")}.`,
    (d) => `Start it on a host that has them, or change numa: godwit vm edit ${d.vm}`,
    "AffinityConfigured",
  ),
} as const;
