/** The destination takes the VM's datastore for shared too, and has joined its leases: without one it may not run the VM. */
import { finding } from "@godwit/contract";
import type { ColdRequirement } from "../facts.ts";

export const leases: ColdRequirement = ({ vm, carryTo, target, targetLoad }) => {
  if (carryTo !== undefined) return []; // see `carried-disks.ts`
  const there = target.datastores.find((store) => store.name === vm.datastore);
  if (there?.shared === false)
    return [finding("DATASTORE_NOT_SHARED_THERE", { host: target.name, datastore: vm.datastore })];
  const state = targetLoad.datastores.find((store) => store.name === vm.datastore)?.leases;
  if (state == null || state.state === "joined") return [];
  const reason = state.reason ?? "the host is joining them at this moment";
  return [finding("DESTINATION_LEASES_UNAVAILABLE", { host: target.name, datastore: vm.datastore, reason })];
};
