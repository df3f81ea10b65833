/**
 * Both hosts see the very same shared storage under the VM's files; nothing of the VM is host-local. Where the disks move with
 * the VM, `carried-disks.ts` has what must hold in place of that.
 */
import { finding, storedParts, type Finding, type Vm } from "@godwit/contract";
import type { ColdRequirement } from "../facts.ts";

type Facts = Parameters<ColdRequirement>[0];

export const storage: ColdRequirement = (facts) =>
  facts.carryTo !== undefined
    ? []
    : storedParts(facts.vm).flatMap(({ datastore, parts }) => problemOf(facts, datastore, parts) ?? []);

/** Neither the variables of UEFI nor a TPM's state move with disks. */
const wayOut = (vm: Vm, datastore: string): "together" | "disks" | "clone" => {
  if (datastore !== vm.datastore) return "disks";
  return vm.firmware === undefined && vm.tpm !== true ? "together" : "clone";
};

/** @param parts of the VM that lie on the datastore, in words */
function problemOf(
  { vm, source, target, targetLoad }: Facts,
  datastore: string,
  parts: string[],
): Finding | null {
  const here = source?.datastores.find(({ name }) => name === datastore);
  const there = target.datastores.find(({ name }) => name === datastore);
  if (source !== null && here?.shared === false)
    return finding("DATASTORE_HOST_LOCAL", {
      ...{ vm: vm.name, host: source.name, destination: target.name },
      ...{ datastore, disks: parts, way: wayOut(vm, datastore) },
    });
  if (there === undefined)
    return finding("DESTINATION_LACKS_DATASTORE", { host: target.name, datastore, disks: parts });
  const load = targetLoad.datastores.find(({ name }) => name === datastore);
  if (there.id === null || load === undefined || load.reason !== null) {
    const reason = load?.reason ?? "its agent did not say why";
    return finding("DATASTORE_UNAVAILABLE", { host: target.name, datastore, reason });
  }
  // An id that the source never read says nothing of where the VM's files are.
  if (source !== null && here?.id != null && here.id !== there.id)
    return finding("DATASTORE_NOT_THE_SAME", { host: target.name, datastore, other: source.name });
  return null;
}
