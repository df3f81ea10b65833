/** The destination's agent knows tags and notes, where the VM has some. */
import { finding, hasAnnotations } from "@godwit/contract";
import type { ColdRequirement } from "../facts.ts";

export const annotations: ColdRequirement = ({ vm, target }) => {
  if (!hasAnnotations(vm) || target.abilities?.includes("annotations") === true) return [];
  const { name: host, agentVersion: version } = target;
  return [finding("AGENT_CANNOT", { host, version, what: "keep tags and notes of VMs" })];
};
