/** The destination's agent knows memory that grows while a VM runs, where the VM has a maximum: both QEMUs are started with the same memory devices. */
import { finding, growsInMemory } from "@godwit/contract";
import type { ColdRequirement } from "../facts.ts";

export const memoryHotPlug: ColdRequirement = ({ vm, target }) => {
  if (!growsInMemory(vm) || target.abilities?.includes("memoryHotPlug") === true) return [];
  const { name: host, agentVersion: version } = target;
  return [finding("AGENT_CANNOT", { host, version, what: "add memory to VMs that run" })];
};
