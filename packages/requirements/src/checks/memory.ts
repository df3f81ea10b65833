/** The destination has the VM's memory free, and what QEMU needs beside it. */
import { finding, type Vm } from "@godwit/contract";
import { failureOf } from "../failure.ts";
import type { Requirement } from "../facts.ts";

/** QEMU's own share beside guest memory: code, device models, migration buffers, page tables. */
export const qemuOverheadBytes = 160 * 1024 * 1024;

/** What a VM takes of a host's memory that is not set aside as huge pages. */
export const ordinaryMemoryBytes = ({ memoryMib, hugepages }: Pick<Vm, "memoryMib" | "hugepages">): number =>
  (hugepages === undefined ? memoryMib * 1024 * 1024 : 0) + qemuOverheadBytes;

export const memory: Requirement = ({ vm, target, targetLoad }) => {
  const neededBytes = ordinaryMemoryBytes(vm);
  if (targetLoad.memory === null) {
    const reason = failureOf(targetLoad, "memory");
    return [finding("DESTINATION_MEMORY_UNDETERMINED", { host: target.name, reason })];
  }
  const { availableBytes } = targetLoad.memory;
  if (availableBytes >= neededBytes) return [];
  return [finding("DESTINATION_MEMORY_SHORT", { host: target.name, neededBytes, availableBytes })];
};
