/** How this host keeps its VMs' QEMU processes apart. */
import type { ContainmentFacts } from "@godwit/contract";
import type { AgentConfig } from "../config.ts";
import type { VmUsers } from "../vms/vm-users.ts";

export async function containmentFacts(
  { vmUids }: AgentConfig["qemu"],
  users: Pick<VmUsers, "problem">,
): Promise<ContainmentFacts> {
  return { vmUids, vmUidsProblem: await users.problem() };
}
