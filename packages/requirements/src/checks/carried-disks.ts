/**
 * Disks that are to move together with their VM can: both agents know how, all are files without snapshots, and the VM's lease passes from one host
 * to the other in the server's database, which it does between datastores of one host each.
 */
import { finding, hasFolders, isBlockPath, type Finding, type HostFacts } from "@godwit/contract";
import type { Requirement } from "../facts.ts";

const ability = "carryDisks";

export const carriedDisks: Requirement = ({ vm, carryTo, source, target, targetLoad }) => {
  if (carryTo === undefined) return [];
  const cannot = [source, target].filter(({ abilities }) => abilities?.includes(ability) !== true);
  const snapshots = (vm.snapshots ?? []).map(({ name }) => name);
  const luns = vm.disks.filter(({ path }) => isBlockPath(path));
  return [
    ...cannot.map(({ name: host, agentVersion }) =>
      finding("AGENT_CANNOT", { host, version: agentVersion, what: "move VMs together with their disks" }),
    ),
    ...(snapshots.length === 0 ? [] : [finding("MOVE_DISKS_HAVE_SNAPSHOTS", { vm: vm.name, snapshots })]),
    ...(vm.firmware === undefined ? [] : [finding("MOVE_FIRMWARE_STAYS", { vm: vm.name })]),
    ...(vm.tpm === true ? [finding("MOVE_TPM_STAYS", { vm: vm.name })] : []),
    ...luns.map(({ name: disk, datastore = vm.datastore }) =>
      finding("DISK_IS_LUN", { vm: vm.name, disk, datastore }),
    ),
    ...(isShared(source, vm.datastore)
      ? [finding("MOVE_DATASTORE_SHARED", { vm: vm.name, host: source.name, datastore: vm.datastore })]
      : []),
    ...ofDatastore(vm.name, carryTo, target, targetLoad),
  ];
};

const isShared = ({ datastores }: HostFacts, datastore: string): boolean =>
  datastores.find(({ name }) => name === datastore)?.shared !== false;

function ofDatastore(
  vm: string,
  datastore: string,
  target: HostFacts,
  { datastores }: { datastores: { name: string; reason: string | null; readOnly?: boolean | undefined }[] },
): Finding[] {
  const host = target.name;
  const there = target.datastores.find(({ name }) => name === datastore);
  if (there === undefined)
    return [
      finding("DATASTORE_UNKNOWN", { datastore, host, known: target.datastores.map(({ name }) => name) }),
    ];
  if (there.source !== undefined && !hasFolders(there.source))
    return [finding("DATASTORE_WITHOUT_FOLDERS", { datastore, host })];
  const load = datastores.find(({ name }) => name === datastore);
  if (load === undefined || load.reason !== null)
    return [
      finding("DATASTORE_UNAVAILABLE", {
        host,
        datastore,
        reason: load?.reason ?? "its agent did not say why",
      }),
    ];
  return isShared(target, datastore)
    ? [finding("MOVE_DATASTORE_SHARED", { vm, host, datastore, isDestination: true })]
    : [];
}
