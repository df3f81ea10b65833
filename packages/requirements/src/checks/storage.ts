/** Both hosts see the very same shared storage under the VM's files; nothing of the VM is host-local. */
import { finding } from "@godwit/contract";
import type { ColdRequirement } from "../facts.ts";

export const storage: ColdRequirement = ({ vm, source, target, targetLoad }) => {
  const parts = ["its folder", ...vm.disks.map((disk) => `disk ${disk.name}`)];
  const here = source?.datastores.find((store) => store.name === vm.datastore);
  const there = target.datastores.find((store) => store.name === vm.datastore);
  if (source !== null && here?.shared === false) {
    return [finding("DATASTORE_HOST_LOCAL", { host: source.name, datastore: vm.datastore, disks: parts })];
  }
  if (there === undefined) {
    return [
      finding("DESTINATION_LACKS_DATASTORE", { host: target.name, datastore: vm.datastore, disks: parts }),
    ];
  }
  const load = targetLoad.datastores.find((store) => store.name === vm.datastore);
  if (there.id === null || load?.space == null) {
    const reason = load?.reason ?? "its agent did not say why";
    return [finding("DATASTORE_UNAVAILABLE", { host: target.name, datastore: vm.datastore, reason })];
  }
  // An id that the source never read says nothing of where the VM's files are.
  if (source !== null && here?.id != null && here.id !== there.id) {
    return [
      finding("DATASTORE_NOT_THE_SAME", { host: target.name, datastore: vm.datastore, other: source.name }),
    ];
  }
  return [];
};
