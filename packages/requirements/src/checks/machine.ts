/**
 * The destination's QEMU has the VM's versioned machine type. An older one does not know it; a newer one may have dropped it,
 * and a distributor's own types are in no other QEMU.
 */
import { finding } from "@godwit/contract";
import type { ColdRequirement } from "../facts.ts";

export const machine: ColdRequirement = ({ vm, target }) => {
  if (target.qemu.machines.includes(vm.machine)) return [];
  const { version } = target.qemu;
  const code = isNewEnough(vm.machine, version) ? "DESTINATION_MACHINE_UNKNOWN" : "DESTINATION_QEMU_OLDER";
  return [finding(code, { host: target.name, machine: vm.machine, version })];
};

/** By the version that a machine type is named after; one of another form is of no version of QEMU's own. */
function isNewEnough(machine: string, qemu: string): boolean {
  const named = /^pc-(?:q35|i440fx)-(\d+)\.(\d+)$/.exec(machine);
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(qemu) ?? [];
  if (named === null || major === undefined) return true;
  const difference = Number(major) - Number(named[1]);
  return difference > 0 || (difference === 0 && Number(minor) >= Number(named[2]));
}
