/** A VM that runs is not bound to NUMA nodes of its host: at another host they have other memory, or none. */
import { finding, hostNodesOf } from "@godwit/contract";
import type { ColdRequirement, Requirement } from "../facts.ts";

export const numaBinding: Requirement = ({ vm, source }) => {
  const nodes = hostNodesOf(vm);
  return nodes.length === 0 ? [] : [finding("VM_NUMA_BINDING", { vm: vm.name, host: source.name, nodes })];
};

/** At rest the numbers go with it, and are checked against the nodes of the host that starts it. */
export const numaBindingAtRest: ColdRequirement = ({ vm, source }) => {
  const nodes = hostNodesOf(vm);
  return nodes.length === 0 || source === null
    ? []
    : [finding("VM_NUMA_BINDING", { vm: vm.name, host: source.name, nodes }, "warning")];
};
