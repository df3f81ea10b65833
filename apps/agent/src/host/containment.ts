/** How this host keeps its VMs' QEMU processes apart. */
import type { ContainmentFacts } from "@godwit/contract";
import { readAppArmor } from "@godwit/hypervisor";
import { cpuControlProblem, limitsProblem } from "@godwit/system";
import type { AgentConfig } from "../config.ts";
import type { VmUsers } from "../vms/vm-users.ts";

export async function containmentFacts(
  { vmUids }: AgentConfig["qemu"],
  users: Pick<VmUsers, "problem">,
): Promise<ContainmentFacts> {
  const [vmUidsProblem, limits, cpuControl, { problem }] = await Promise.all([
    users.problem(),
    limitsProblem(),
    cpuControlProblem(),
    readAppArmor(),
  ]);
  return {
    ...{ vmUids, vmUidsProblem, limitsProblem: limits },
    ...{ cpuWeightsProblem: cpuControl, cpuLimitsProblem: cpuControl },
    appArmorProblem: problem,
  };
}
