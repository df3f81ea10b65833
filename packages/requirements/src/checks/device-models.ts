/** The destination's agent knows disks and NICs that are not virtio, where the VM has some. */
import { finding, hasModels } from "@godwit/contract";
import type { ColdRequirement } from "../facts.ts";

export const deviceModels: ColdRequirement = ({ vm, target }) => {
  if (!hasModels(vm) || target.abilities?.includes("deviceModels") === true) return [];
  const { name: host, agentVersion: version } = target;
  return [finding("AGENT_CANNOT", { host, version, what: "give VMs disks and NICs that are not virtio" })];
};
