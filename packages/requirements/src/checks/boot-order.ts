/** The destination's agent knows boot orders, where the VM has one. */
import { finding } from "@godwit/contract";
import type { ColdRequirement } from "../facts.ts";

export const bootOrder: ColdRequirement = ({ vm, target }) => {
  if (vm.bootOrder === undefined || target.abilities?.includes("bootOrder") === true) return [];
  const { name: host, agentVersion: version } = target;
  return [finding("AGENT_CANNOT", { host, version, what: "give VMs a boot order" })];
};
