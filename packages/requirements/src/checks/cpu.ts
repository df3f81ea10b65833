/**
 * The destination's QEMU knows the VM's CPU model and can give all of its features. QEMU does not compare
 * CPUs in the migration stream: what is not refused here would silently change under the guest.
 */
import { finding, type Finding } from "@godwit/contract";
import type { Requirement } from "../facts.ts";

export const cpu: Requirement = ({ vm, target }): Finding[] => {
  const { model, add, remove } = vm.cpu;
  const { cpuModels, availableFeatures, version } = target.qemu;
  const definition = cpuModels.find((candidate) => candidate.name === model);
  if (definition === undefined) {
    return [finding("DESTINATION_CPU_UNKNOWN", { host: target.name, model, version })];
  }
  const lacking = [
    ...definition.unavailableFeatures.filter((feature) => !remove.includes(feature)),
    ...add.filter((feature) => !availableFeatures.includes(feature)),
  ];
  if (lacking.length === 0) return [];
  return [
    finding("DESTINATION_CPU_LACKS", { host: target.name, model, features: [...new Set(lacking)].sort() }),
  ];
};
