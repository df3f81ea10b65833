/**
 * The guest's clock can be that of another host. One that was promised a TSC of the same rate for ever (`invtsc`) may read it without
 * asking anybody, and QEMU refuses to migrate it under KVM; asked before, that is known before anything is copied.
 */
import { finding } from "@godwit/contract";
import { nameOf } from "../cpu-features.ts";
import type { Requirement } from "../facts.ts";

const feature = "invtsc";

export const invariantTsc: Requirement = ({ vm, runtime }) => {
  const { add, features = [] } = vm.cpu;
  // An emulated guest has a clock of QEMU's own.
  if (runtime.accelerator !== "kvm") return [];
  return [...add, ...features].map(nameOf).includes(feature)
    ? [finding("VM_CLOCK_NOT_MOVABLE", { vm: vm.name, feature })]
    : [];
};
