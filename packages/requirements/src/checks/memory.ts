/** The destination has the VM's memory free, and what QEMU needs beside it. */
import { finding } from "@godwit/contract";
import { failureOf } from "../failure.ts";
import type { Requirement } from "../facts.ts";

/** QEMU's own share beside guest memory: code, device models, migration buffers, page tables. */
export const qemuOverheadBytes = 160 * 1024 * 1024;

export const memory: Requirement = ({ vm, target, targetLoad }) => {
  const neededBytes = vm.memoryMib * 1024 * 1024 + qemuOverheadBytes;
  if (targetLoad.memory === null) {
    const reason = failureOf(targetLoad, "memory");
    return [finding("DESTINATION_MEMORY_UNDETERMINED", { host: target.name, reason })];
  }
  const { availableBytes } = targetLoad.memory;
  if (availableBytes >= neededBytes) return [];
  return [finding("DESTINATION_MEMORY_SHORT", { host: target.name, neededBytes, availableBytes })];
};
