/** The disks that are to move with a VM, as its source has them: measured when the move begins, so that its destination has room. */
import { GodwitError, isBlockPath, type MovedStorage, type MoveOrder } from "@godwit/contract";
import { DiskCarrier, type QemuProcess } from "@godwit/hypervisor";
import { usedBytesOf } from "@godwit/storage";
import type { MoveDependencies } from "./dependencies.ts";

/**
 * Undefined where the disks stay where they are.
 * @throws MOVE_DATASTORE_SHARED, MOVE_DISKS_HAVE_SNAPSHOTS, MOVE_FIRMWARE_STAYS, DISK_IS_LUN and what is wrong with a datastore
 */
export async function carriedStorage(
  order: MoveOrder,
  process: QemuProcess,
  { config, environment, leases }: Pick<MoveDependencies, "config" | "environment" | "leases">,
): Promise<MovedStorage | undefined> {
  if (order.storage === undefined) return undefined;
  const { vm } = process.spec;
  const { datastore } = order.storage;
  if (leases.placeOf(vm) !== "row")
    throw GodwitError.of("MOVE_DATASTORE_SHARED", {
      vm: vm.name,
      host: config.name,
      datastore: vm.datastore,
    });
  const snapshots = (vm.snapshots ?? []).map(({ name }) => name);
  if (snapshots.length > 0) throw GodwitError.of("MOVE_DISKS_HAVE_SNAPSHOTS", { vm: vm.name, snapshots });
  if (vm.firmware !== undefined) throw GodwitError.of("MOVE_FIRMWARE_STAYS", { vm: vm.name });
  if (vm.tpm === true) throw GodwitError.of("MOVE_TPM_STAYS", { vm: vm.name });
  const lun = vm.disks.find(({ path }) => isBlockPath(path));
  if (lun !== undefined)
    throw GodwitError.of("DISK_IS_LUN", {
      ...{ vm: vm.name, disk: lun.name, datastore: lun.datastore ?? vm.datastore },
    });
  const sizes = await new DiskCarrier(process).sizes();
  const stores = await environment.datastoresOf(vm);
  const disks = vm.disks.map(async (disk) => ({
    name: disk.name,
    sizeBytes: sizes[disk.name] ?? 0,
    usedBytes: await usedBytesOf(stores.pathOf(disk), disk.base),
  }));
  return { datastore, disks: await Promise.all(disks) };
}
