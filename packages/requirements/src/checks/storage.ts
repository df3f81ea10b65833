/** Both hosts see the very same shared storage under the VM's files; nothing of the VM is host-local. */
import { finding } from "@godwit/contract";
import type { Requirement } from "../facts.ts";

export const storage: Requirement = ({ vm, source, target }) => {
  const parts = ["its folder", ...vm.disks.map((disk) => `disk ${disk.name}`)];
  const here = source.datastores.find((store) => store.name === vm.datastore);
  const there = target.datastores.find((store) => store.name === vm.datastore);
  if (here !== undefined && !here.shared) {
    return [finding("DATASTORE_HOST_LOCAL", { host: source.name, datastore: vm.datastore, disks: parts })];
  }
  if (there === undefined) {
    return [
      finding("DESTINATION_LACKS_DATASTORE", { host: target.name, datastore: vm.datastore, disks: parts }),
    ];
  }
  if (here !== undefined && here.id !== there.id) {
    return [
      finding("DATASTORE_NOT_THE_SAME", { host: target.name, datastore: vm.datastore, other: source.name }),
    ];
  }
  return [];
};
