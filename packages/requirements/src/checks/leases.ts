/** The destination has joined the leases of the VM's datastore: without one it may not run the VM. */
import { finding } from "@godwit/contract";
import type { Requirement } from "../facts.ts";

export const leases: Requirement = ({ vm, target }) => {
  const there = target.datastores.find((store) => store.name === vm.datastore);
  const state = there?.leases;
  if (state == null || state.state === "joined") return [];
  const reason = state.reason ?? "the host is joining them at this moment";
  return [finding("DESTINATION_LEASES_UNAVAILABLE", { host: target.name, datastore: vm.datastore, reason })];
};
