/** A VM whose IP addresses are listed finds the same filter at the destination. */
import { finding, type Finding } from "@godwit/contract";
import type { ColdRequirement } from "../facts.ts";

export const addressFilter: ColdRequirement = ({ vm, target }): Finding[] => {
  const { name: host, portSecurityProblem } = target;
  if (vm.nics.every(({ addresses }) => addresses === undefined)) return [];
  // An agent that does not tell is an older one, which refuses the VM's description.
  const reason = portSecurityProblem === undefined ? "its agent's version cannot" : portSecurityProblem;
  return reason === null ? [] : [finding("NETWORK_FILTER_MISSING", { vm: vm.name, host, reason })];
};
