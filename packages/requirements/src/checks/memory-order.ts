/** QEMU can send the VM's memory as it was laid out when the VM was started. Started again, it is laid out otherwise. */
import { finding } from "@godwit/contract";
import type { Requirement } from "../facts.ts";

export const memoryOrder: Requirement = ({ vm, runtime }) =>
  runtime.memoryOutOfOrder === true ? [finding("VM_MEMORY_ORDER", { vm: vm.name })] : [];
