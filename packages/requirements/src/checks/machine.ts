/** The destination's QEMU knows the VM's versioned machine type: it is of the same or a newer version. */
import { finding } from "@godwit/contract";
import type { ColdRequirement } from "../facts.ts";

export const machine: ColdRequirement = ({ vm, target }) => {
  if (target.qemu.machines.includes(vm.machine)) return [];
  return [
    finding("DESTINATION_QEMU_OLDER", {
      host: target.name,
      machine: vm.machine,
      version: target.qemu.version,
    }),
  ];
};
