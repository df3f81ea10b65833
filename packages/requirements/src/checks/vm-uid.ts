/** QEMU has the same uid at both hosts: disks on shared storage are open to no other. */
import { finding } from "@godwit/contract";
import type { Requirement } from "../facts.ts";

export const vmUid: Requirement = ({ runtime, source, target }) => {
  const { user } = runtime;
  // The one that VMs share may have another uid there: what it can open is tried before the copy.
  if (user == null || user.sharedBecause !== null) return [];
  const { containment, name: host } = target;
  const without = (reason: string) => [
    finding("DESTINATION_WITHOUT_VM_UIDS", { host, uid: user.uid, reason }),
  ];
  if (containment === undefined) return without("its agent is of an earlier version");
  if (containment.vmUidsProblem !== null) return without(containment.vmUidsProblem);
  const { vmUids } = containment;
  const otherVmUids = source.containment?.vmUids;
  if (otherVmUids === undefined) return [];
  if (vmUids.first === otherVmUids.first && vmUids.count === otherVmUids.count) return [];
  return [finding("DESTINATION_VM_UIDS_DIFFER", { host, other: source.name, vmUids, otherVmUids })];
};
