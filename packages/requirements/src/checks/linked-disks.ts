/** The destination's agent knows linked disks, where the VM has some: an earlier one reads no description of them. */
import { finding, hasLinkedDisks } from "@godwit/contract";
import type { ColdRequirement } from "../facts.ts";

export const linkedDisks: ColdRequirement = ({ vm, target }) => {
  if (!hasLinkedDisks(vm) || target.abilities?.includes("linkedDisks") === true) return [];
  const { name: host, agentVersion: version } = target;
  return [finding("AGENT_CANNOT", { host, version, what: "use linked disks" })];
};
