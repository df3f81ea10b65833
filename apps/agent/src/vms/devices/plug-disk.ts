/** A disk whose image or volume is made comes to a QEMU that runs: it is noted first, then QEMU may see it, then the guest. */
import { GodwitError, type Vm, type VmDisk } from "@godwit/contract";
import { plugDisk, writtenStorage, type QemuProcess } from "@godwit/hypervisor";
import { checkOpens, saveVm, VolumeGroup, type VmDatastores } from "@godwit/storage";
import { reasonOf } from "../../reason.ts";
import type { DevicesParts, HeldVm } from "./parts.ts";
import { settleRunning } from "./settle.ts";

/**
 * @param next the VM with the disk
 * @throws DISK_PERMISSION_DENIED, DEVICE_PLUG_FAILED and what the activation of a volume throws: QEMU does not have the disk then
 */
export async function plugIn(
  parts: DevicesParts,
  { vm, home, process }: HeldVm & { process: QemuProcess },
  stores: VmDatastores,
  next: Vm,
  disk: VmDisk,
): Promise<void> {
  const { config, leases, environment } = parts;
  const { path, isDevice, mayBeFenced } = await placeOf(environment, stores, vm, disk, process);
  if (mayBeFenced) await leases.mustCount(vm);
  await checkOpens(stores, { ...vm, disks: [disk] }, { host: config.name, user: process.user });
  const written = writtenStorage(process.spec);
  await leases.writesTo(vm, { ...written, images: [...written.images, path] });
  await saveVm(home, next);
  const { taps, diskPaths, blockDevices = [] } = process.spec;
  await process.updateDevices({
    ...{ vm: next, taps, diskPaths: { ...diskPaths, [disk.name]: path } },
    blockDevices: [...blockDevices, ...(isDevice ? [disk.name] : [])],
  });
  try {
    await plugDisk(process, next, disk.name);
  } catch (error) {
    const now = await settleRunning(parts, process, home);
    await leases.writesTo(vm, writtenStorage(process.spec));
    // Its answer was lost, and it was done.
    if (now.disks.some(({ name }) => name === disk.name)) return;
    throw plugFailed(vm, `disk ${disk.name}`, config.name, error);
  }
}

/** What QEMU is to open: of a volume its device, which is active from now on, and the user's. */
async function placeOf(
  environment: DevicesParts["environment"],
  stores: VmDatastores,
  vm: Vm,
  disk: VmDisk,
  { user }: QemuProcess,
): Promise<{ path: string; isDevice: boolean; mayBeFenced: boolean }> {
  const store = stores.blockStoreOf(disk);
  if (!(store instanceof VolumeGroup))
    return { path: stores.pathOf(disk), isDevice: false, mayBeFenced: false };
  const path = await environment.attachVolume(store, { vm, disk }, user);
  return { path, isDevice: true, mayBeFenced: environment.mayBeFencedAt(store) };
}

export function plugFailed(vm: Vm, device: string, host: string, error: unknown): GodwitError {
  const reason = reasonOf(error).replace(/\.$/, "").slice(0, 1000);
  return GodwitError.of("DEVICE_PLUG_FAILED", { vm: vm.name, device, host, reason }, { cause: error });
}
