/** A VM that is suspended to disk goes on there: its memory can be loaded, and its guest finds the CPU that it saw. */
import { finding } from "@godwit/contract";
import { offers } from "../cpu-features.ts";
import type { ColdRequirement } from "../facts.ts";
import { memoryProblem } from "../snapshot-fit.ts";

export const suspension: ColdRequirement = ({ vm, target }) => {
  if (vm.suspension === undefined) return [];
  const { name: host, abilities = [], agentVersion: version, qemu } = target;
  if (!abilities.includes("suspend"))
    return [finding("AGENT_CANNOT", { host, version, what: "suspend VMs to disk" })];
  const offered = offers(qemu);
  const lacking = (vm.cpu.features ?? []).filter((name) => !offered(name));
  const problem = memoryProblem({ memory: vm.suspension.memory, vm }, qemu);
  const reasons = [
    ...(problem === null ? [] : [`of its memory, ${problem}`]),
    ...(lacking.length === 0 ? [] : [`its guest uses the CPU features ${lacking.join(", ")}`]),
  ];
  return reasons.map((reason) => finding("SUSPENDED_MEMORY_UNUSABLE", { vm: vm.name, host, reason }));
};
