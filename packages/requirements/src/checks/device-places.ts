/** The destination's agent knows devices at places of their own, PCIe root ports, and NICs whose links are down, where the VM has some. */
import { finding, hasPlaces } from "@godwit/contract";
import type { ColdRequirement } from "../facts.ts";

export const devicePlaces: ColdRequirement = ({ vm, target }) => {
  if (!hasPlaces(vm) || target.abilities?.includes("devices") === true) return [];
  const { name: host, agentVersion: version } = target;
  return [finding("AGENT_CANNOT", { host, version, what: "know devices at places of their own" })];
};
