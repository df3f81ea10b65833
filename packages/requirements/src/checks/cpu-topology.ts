/** The destination's agent knows CPU topologies, where the VM has one: both QEMUs are started with the same. */
import { finding } from "@godwit/contract";
import type { ColdRequirement } from "../facts.ts";

export const cpuTopology: ColdRequirement = ({ vm, target }) => {
  if (vm.topology === undefined || target.abilities?.includes("cpuTopology") === true) return [];
  const { name: host, agentVersion: version } = target;
  return [finding("AGENT_CANNOT", { host, version, what: "give VMs a CPU topology" })];
};
