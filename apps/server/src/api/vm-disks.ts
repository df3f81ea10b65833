/** Disks of VMs: moved between datastores, and copied with their VM. */
import { randomUUID } from "node:crypto";
import {
  datastoresOf,
  GodwitError,
  hasFolders,
  hasProcess,
  isBlockPath,
  isVolumePath,
  lunOf,
  type HostFacts,
  type serverOperations,
  type Vm,
  type VmDisk,
  type VmId,
} from "@godwit/contract";
import type { Handlers } from "@godwit/http";
import type { Services } from "../services.ts";
import { ableTo } from "./able-to.ts";
import { hostFor } from "./host-for-command.ts";

export function vmDiskHandlers(
  services: Services,
): Handlers<Pick<typeof serverOperations, "vmDisksRelocate" | "vmClone" | "vmExport">> {
  const { store, tasks } = services;
  return {
    vmClone: async ({ params, body }) => {
      const vm = await store.vms.show(params.vm);
      const { name, datastore = null } = body;
      if (await store.vms.isNameTaken(name)) throw GodwitError.of("VM_EXISTS", { vm: name });
      if (hasProcess(vm)) throw GodwitError.of("VM_RUNNING", { vm: vm.name, host: vm.host });
      mustBeOwn(vm.config, vm.config.disks);
      const host = await hostFor(services, "configure", vm);
      const hosts = await store.hosts.list();
      const facts = ableTo("cloneVm", hosts, host);
      const isOnto = datastore !== null && isVolumeGroup(facts, datastore);
      if (datastore !== null && !isOnto) mustHaveFolders(facts, datastore);
      if (isOnto || hasVolumes(vm.config.disks)) ableTo("cloneVolumes", hosts, host);
      const linked = body.linked === true ? { linked: true as const } : {};
      if (body.linked === true) {
        ableTo("linkedDisks", hosts, host);
        mustBeLinkable(vm.config, datastore);
      }
      const copy = { id: randomUUID() as VmId, name, datastore, ...linked };
      return await tasks.start({
        kind: "vm.clone",
        request: { vm: { id: vm.id, name: vm.name }, home: vm.config.datastore, host, copy },
      });
    },

    vmExport: async ({ params, body: { to } }) => {
      const vm = await store.vms.show(params.vm);
      if (hasProcess(vm)) throw GodwitError.of("VM_RUNNING", { vm: vm.name, host: vm.host });
      mustBeOwn(vm.config, vm.config.disks);
      const host = await hostFor(services, "configure", vm);
      const hosts = await store.hosts.list();
      mustHaveFolders(ableTo("exportVm", hosts, host), to.datastore);
      if (hasVolumes(vm.config.disks)) ableTo("moveVolumes", hosts, host);
      const request = { vm: { id: vm.id, name: vm.name }, home: vm.config.datastore, host, to };
      return await tasks.start({ kind: "vm.export", request });
    },

    vmDisksRelocate: async ({ params, body }) => {
      const { id, name, ...vm } = await store.vms.show(params.vm);
      const { datastore: to, bandwidthMbps, format } = body;
      const disks = disksToMove(vm.config, to, body.disks);
      const snapshots = (vm.config.snapshots ?? []).map((one) => one.name);
      if (hasProcess(vm) && snapshots.length > 0)
        throw GodwitError.of("VM_HAS_SNAPSHOTS", { vm: name, disks, snapshots });
      const host = await hostFor(services, "configure", { id, name, ...vm });
      const hosts = await store.hosts.list();
      const facts = ableTo("relocateDisks", hosts, host);
      const isOnto = isVolumeGroup(facts, to);
      const storage = isOnto ? idOf(facts, to) : mustHaveFolders(facts, to);
      const moved = vm.config.disks.filter((disk) => disks.includes(disk.name));
      if (isOnto || format !== undefined || hasVolumes(moved)) ableTo("moveVolumes", hosts, host);
      const unseenBy = hosts.flatMap((one) =>
        one.name !== host &&
        one.facts !== null &&
        couldHave(one.facts, vm.config, facts) &&
        !sees(one.facts, to, storage)
          ? [one.name]
          : [],
      );
      const bytesPerSecond = bandwidthMbps === undefined ? null : Math.max(1, (bandwidthMbps * 1e6) / 8);
      return await tasks.start({
        kind: "vm.relocateDisks",
        request: {
          ...{ vm: { id, name }, host, home: vm.config.datastore, disks, to },
          ...{ bytesPerSecond, unseenBy, ...(format === undefined ? {} : { format }) },
        },
      });
    },
  };
}

/** @throws DISK_UNKNOWN, DISK_IS_LUN, DISKS_ALREADY_THERE */
function disksToMove(vm: Vm, to: string, named: readonly string[] | undefined): string[] {
  const known = vm.disks.map(({ name }) => name);
  const unknown = named?.find((name) => !known.includes(name));
  if (unknown !== undefined) throw GodwitError.of("DISK_UNKNOWN", { vm: vm.name, disk: unknown, known });
  const asked = vm.disks.filter(({ name }) => named?.includes(name) ?? true);
  const elsewhere = asked.filter(({ datastore = vm.datastore }) => datastore !== to);
  if (elsewhere.length === 0)
    throw GodwitError.of("DISKS_ALREADY_THERE", {
      ...{ vm: vm.name, datastore: to, disks: asked.map(({ name }) => name) },
    });
  mustBeOwn(vm, elsewhere);
  return elsewhere.map(({ name }) => name);
}

/** LUNs of a target are not made by Godwit, and not copied. @throws DISK_IS_LUN */
function mustBeOwn(vm: Vm, disks: readonly VmDisk[]): void {
  const lun = disks.find(({ path }) => lunOf(path) !== null);
  if (lun === undefined) return;
  const { name: disk, datastore = vm.datastore } = lun;
  throw GodwitError.of("DISK_IS_LUN", { vm: vm.name, disk, datastore });
}

/** As far as it is known here; its host knows more. @param to where the copy is to lie; null: where the VM does. @throws DISK_NOT_LINKABLE */
function mustBeLinkable(vm: Vm, to: string | null): void {
  const snapshots = (vm.snapshots ?? []).map(({ name }) => name);
  for (const { name: disk, path, datastore = vm.datastore, base } of vm.disks) {
    const refused = (reason: "block" | "elsewhere" | "snapshots", what: string | null) =>
      GodwitError.of("DISK_NOT_LINKABLE", { vm: vm.name, disk, reason, what });
    if (isBlockPath(path)) throw refused("block", null);
    if (to !== null && to !== datastore) throw refused("elsewhere", datastore);
    if (base === undefined && snapshots.length > 0) throw refused("snapshots", snapshots.join(", "));
  }
}
const hasVolumes = (disks: readonly VmDisk[]): boolean => disks.some(({ path }) => isVolumePath(path));

/** Whether disks on the datastore are volumes. */
const isVolumeGroup = ({ datastores }: HostFacts, to: string): boolean =>
  datastores.find(({ name }) => name === to)?.source?.kind === "lun";

/** On its storage; null: not known. */
const idOf = ({ datastores }: HostFacts, to: string): string | null =>
  datastores.find(({ name }) => name === to)?.id ?? null;

/** @returns the id on its storage; null: not known. @throws DATASTORE_UNKNOWN, DATASTORE_WITHOUT_FOLDERS */
function mustHaveFolders({ name: host, datastores }: HostFacts, to: string): string | null {
  const found = datastores.find(({ name }) => name === to);
  if (found === undefined) {
    const known = datastores.map(({ name }) => name);
    throw GodwitError.of("DATASTORE_UNKNOWN", { datastore: to, host, known });
  }
  if (found.source !== undefined && !hasFolders(found.source))
    throw GodwitError.of("DATASTORE_WITHOUT_FOLDERS", { datastore: to, host });
  return found.id;
}

/** A host that has not read the id yet is taken for one that sees it. */
const sees = ({ datastores }: HostFacts, name: string, id: string | null): boolean =>
  datastores.some(
    (one) => one.name === name && one.shared && (id === null || one.id === null || one.id === id),
  );

/** Whether a host has all that the VM's parts lie on now, as its own host has it. */
const couldHave = (there: HostFacts, vm: Vm, own: HostFacts): boolean =>
  datastoresOf(vm).every((name) =>
    sees(there, name, own.datastores.find((one) => one.name === name)?.id ?? null),
  );
