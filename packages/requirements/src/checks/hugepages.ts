/** The destination has the huge pages that the VM's memory is made of. */
import { finding, hugepagesOf } from "@godwit/contract";
import type { ColdRequirement, Requirement } from "../facts.ts";

/** Free now: QEMU takes them all before the first page of the guest's arrives. */
export const hugepages: Requirement = ({ vm, target, targetLoad }) => {
  const needed = hugepagesOf(vm);
  // What is not known of its memory is the finding of another requirement.
  if (needed === null || targetLoad.memory === null) return [];
  const { size, pages: neededPages } = needed;
  const freePages = targetLoad.memory.hugepages?.find((one) => one.size === size)?.freePages ?? 0;
  if (freePages >= neededPages) return [];
  return [finding("HUGEPAGES_SHORT", { vm: vm.name, host: target.name, size, neededPages, freePages })];
};

/** At rest: what other VMs have of them now may be free when it is started. */
export const hugepagesAtRest: ColdRequirement = ({ vm, target }) => {
  const needed = hugepagesOf(vm);
  if (needed === null) return [];
  const { size, pages: neededPages } = needed;
  const freePages = target.memory.hugepages?.find((one) => one.size === size)?.pages ?? 0;
  if (freePages >= neededPages) return [];
  const details = { vm: vm.name, host: target.name, size, neededPages, freePages };
  return [finding("HUGEPAGES_SHORT", details, "warning")];
};
