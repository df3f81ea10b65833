/**
 * Memory that is plugged into a VM while it runs (memory hot-plug), up to a maximum that the VM is powered on with. Each growth is one memory
 * device (pc-dimm) in a slot. `memoryMib` is always all of the VM's memory, the devices' included; what it was powered on with is the rest.
 * A device stays until the VM is powered off, and is plain memory from its next start. Pure.
 */
import type { HugepageSize, NumaNode } from "./schemas/guest-memory.ts";
import type { HostDeviceDescription } from "./schemas/host-device.ts";
import type { MemoryDevice } from "./schemas/memory-devices.ts";
import { memorySlots } from "./memory-slots.ts";

/** What Linux takes at a time on x86. */
export const memoryStepMib = 128;

interface Grown {
  memoryMib: number;
  memoryDevices?: readonly MemoryDevice[] | undefined;
}

const sumMib = (devices: readonly MemoryDevice[]): number => devices.reduce((all, { mib }) => all + mib, 0);

/** What it was powered on with, MiB. */
export const bootMemoryMib = ({ memoryMib, memoryDevices = [] }: Grown): number =>
  memoryMib - sumMib(memoryDevices);

/** The VM with these devices, beside what it was powered on with. */
export function withMemoryDevices<V extends Grown>(vm: V, devices: readonly MemoryDevice[]): V {
  const { memoryDevices: _before, ...rest } = vm;
  const memoryMib = bootMemoryMib(vm) + sumMib(devices);
  return { ...rest, memoryMib, ...(devices.length === 0 ? {} : { memoryDevices: [...devices] }) } as V;
}

/** The VM as one that is powered off: all of its memory is plain. */
export function withPlainMemory<V extends Pick<Grown, "memoryDevices">>({ memoryDevices: _, ...vm }: V): V {
  return vm as V;
}

/** Whether it has what agents of before did not know. */
export const growsInMemory = (vm: {
  maxMemoryMib?: number | undefined;
  memoryDevices?: readonly MemoryDevice[] | undefined;
}): boolean => vm.maxMemoryMib !== undefined || vm.memoryDevices !== undefined;

interface Maximum {
  memoryMib: number;
  maxMemoryMib?: number | undefined;
  hugepages?: HugepageSize | undefined;
  numa?: readonly NumaNode[] | undefined;
  hostDevices?: readonly HostDeviceDescription[] | undefined;
}

/** What of a maximum does not fit the VM: the field, and a sentence's end. */
export function maxMemoryProblems({ memoryMib, maxMemoryMib, hugepages, numa, hostDevices = [] }: Maximum) {
  if (maxMemoryMib === undefined) return [];
  const problem = (message: string) => [{ path: ["maxMemoryMib"], message }];
  return [
    ...(maxMemoryMib < memoryMib
      ? problem(`is ${String(maxMemoryMib)} MiB, and the VM has ${String(memoryMib)} MiB of memory`)
      : []),
    ...(hugepages === undefined ? [] : problem("huge pages are not added while a VM runs")),
    ...(numa === undefined ? [] : problem("memory is not added to NUMA nodes while a VM runs")),
    ...(hostDevices.some((one) => "pci" in one)
      ? problem("memory is not added while a PCI device of the host may write to it")
      : []),
  ];
}

/** Why a VM that runs does not get so much memory. */
export type GrowthProblem = "shrinks" | "noMaximum" | "aboveMaximum" | "step" | "slotsUsed" | "emulated";

/**
 * What another size of the memory of a VM that runs means: the device that makes it, why there is none, or null where it is the size that the VM has.
 * @param memoryMib all of its memory
 */
export function memoryGrowth(
  vm: Grown & { maxMemoryMib?: number | undefined },
  memoryMib: number,
): { device: MemoryDevice } | { problem: GrowthProblem } | null {
  const { maxMemoryMib, memoryDevices = [] } = vm;
  const mib = memoryMib - vm.memoryMib;
  if (mib === 0) return null;
  if (mib < 0) return { problem: "shrinks" };
  if (maxMemoryMib === undefined) return { problem: "noMaximum" };
  if (memoryMib > maxMemoryMib) return { problem: "aboveMaximum" };
  if (mib % memoryStepMib !== 0) return { problem: "step" };
  const used = new Set(memoryDevices.map(({ slot }) => slot));
  const slot = Array.from({ length: memorySlots }, (_, index) => index).find((one) => !used.has(one));
  return slot === undefined ? { problem: "slotsUsed" } : { device: { slot, mib } };
}

/** What of a stored VM's devices cannot be: whoever starts its QEMU refuses it. */
export function memoryDeviceProblems(vm: Grown & { maxMemoryMib?: number | undefined }): string[] {
  const { memoryDevices = [], maxMemoryMib = 0, memoryMib } = vm;
  if (memoryDevices.length === 0) return [];
  const slots = new Set(memoryDevices.map(({ slot }) => slot));
  return [
    ...(slots.size === memoryDevices.length ? [] : ["memoryDevices: two have the same slot"]),
    ...(memoryDevices.every(({ addr }) => addr !== undefined)
      ? []
      : ["memoryDevices: whether QEMU has all of them is not known"]),
    ...(bootMemoryMib(vm) > 0 ? [] : ["memoryDevices: they have more memory than the VM"]),
    ...(memoryMib <= maxMemoryMib ? [] : ["memoryDevices: with them the VM has more than maxMemoryMib"]),
  ];
}
