/** How this host keeps its VMs' QEMU processes apart. */
import type { ContainmentFacts } from "@godwit/contract";
import { readAppArmor } from "@godwit/hypervisor";
import { limitsProblem, weightsProblem } from "@godwit/system";
import type { AgentConfig } from "../config.ts";
import type { VmUsers } from "../vms/vm-users.ts";

export async function containmentFacts(
  { vmUids }: AgentConfig["qemu"],
  users: Pick<VmUsers, "problem">,
): Promise<ContainmentFacts> {
  const [vmUidsProblem, limits, weights, { problem }] = await Promise.all([
    users.problem(),
    limitsProblem(),
    weightsProblem(),
    readAppArmor(),
  ]);
  return {
    ...{ vmUids, vmUidsProblem, limitsProblem: limits },
    ...{ cpuWeightsProblem: weights, appArmorProblem: problem },
  };
}
