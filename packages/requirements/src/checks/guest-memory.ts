/** The destination's agent knows huge pages and NUMA nodes, where the VM has some. */
import { finding, hasMemoryLayout } from "@godwit/contract";
import type { ColdRequirement } from "../facts.ts";

export const guestMemory: ColdRequirement = ({ vm, target }) => {
  if (!hasMemoryLayout(vm) || target.abilities?.includes("guestMemory") === true) return [];
  const { name: host, agentVersion: version } = target;
  return [finding("AGENT_CANNOT", { host, version, what: "give VMs huge pages and NUMA nodes" })];
};
