/** The destination's agent knows memory balloons, where the VM has one: both QEMUs are started with it. */
import { finding } from "@godwit/contract";
import type { ColdRequirement } from "../facts.ts";

export const balloon: ColdRequirement = ({ vm, target }) => {
  if (vm.balloon === undefined || target.abilities?.includes("balloon") === true) return [];
  const { name: host, agentVersion: version } = target;
  return [finding("AGENT_CANNOT", { host, version, what: "give VMs a memory target" })];
};
