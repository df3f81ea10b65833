/**
 * Disks that come to a VM, leave it, or grow. The description is changed before a disk is plugged in, and after it is out; what becomes
 * of an image that nobody uses is noted before. So whoever comes after a crash brings all to what QEMU has (`settle.ts`).
 */
import { stat } from "node:fs/promises";
import {
  GodwitError,
  isBlockPath,
  isVolumePath,
  keptBecause,
  lunOf,
  storedBus,
  type DiskToAdd,
  type Vm,
  type VmDisk,
} from "@godwit/contract";
import {
  forgetDisk,
  resizeDisk as resizeInQemu,
  sizeOfDisk,
  unplug,
  writtenStorage,
  type PlaceRequest,
  type QemuProcess,
} from "@godwit/hypervisor";
import {
  addDiskImage,
  diskBytes,
  forgetDiskNote,
  forgetLeftVolume,
  growDisk,
  noteDisk,
  noteLeftVolumes,
  placeOfNew,
  readVm,
  releaseUnused,
  removeDiskImage,
  saveVm,
  wholeExtents,
  type VolumeGroup,
} from "@godwit/storage";
import { userIds, type UserIds } from "@godwit/system";
import { withDisk, withoutDisk } from "./device-description.ts";
import type { DevicesParts, HeldVm } from "./parts.ts";
import { plugIn } from "./plug-disk.ts";
import { settleDisks } from "./settle-disks.ts";
import { settleRunning } from "./settle.ts";

/** A guest needs a moment, one that is emulated more. */
export const unplugLimitMs = 30_000;

/**
 * @param signal ends it until the image is whole; nothing is left of it then, and its reason is thrown
 * @throws DEVICES_TOO_MANY, DEVICE_HAS_NO_PLACE, DEVICE_PLUG_FAILED, DISK_PERMISSION_DENIED and what `addDiskImage` throws
 */
export async function addDisk(
  parts: DevicesParts,
  held: HeldVm,
  disk: DiskToAdd,
  { places, signal }: { places: boolean; signal: AbortSignal },
): Promise<Vm> {
  const { vm, home, process } = held;
  const { config, environment } = parts;
  await settleDisks(parts, held);
  if (vm.disks.some(({ name }) => name === disk.name)) return vm;
  const request: PlaceRequest = { running: process !== null, ports: process !== null || places };
  // What has no place is refused before anything is made.
  withDisk(vm, { ...placeOfNew(vm, disk), ...storedBus(disk.bus) }, request);
  if (process !== null && lunOf(disk.image ?? "") !== null)
    throw GodwitError.of("DEVICE_HAS_NO_PLACE", {
      ...{ vm: vm.name, device: `Disk ${disk.name}`, reason: "lun", running: true },
    });
  const stores = await environment.datastoresOf(
    { ...vm, disks: [...vm.disks, disk] },
    disk.imageDatastore === undefined ? [] : [disk.imageDatastore],
  );
  const user = process?.user ?? (await userIds(config.qemu.user));
  const onCopy = (copy: Parameters<DevicesParts["onCopy"]>[1]) => {
    parts.onCopy(vm.id, copy);
  };
  try {
    const made = await addDiskImage(stores, vm, { disk, user, host: config.name, onCopy, signal });
    signal.throwIfAborted();
    const next = withDisk(vm, made, request);
    if (process === null) await saveVm(home, next);
    else await plugIn(parts, { ...held, process }, stores, next, made);
    await forgetDiskNote(home, vm.name);
    return next;
  } catch (error) {
    // What QEMU does not have is let go first. Where that cannot be asked, what is noted says whose it is.
    const now = process === null ? await readVm(home, vm.name) : await settleRunning(parts, process, home);
    await settleDisks(parts, { vm: now, home, process });
    throw error;
  }
}

/** @throws DISK_HAS_SNAPSHOTS, DEVICE_NOT_REMOVABLE, DEVICE_KEPT_BY_GUEST */
export async function removeDisk(
  parts: DevicesParts,
  { vm, home, process }: HeldVm,
  { disk: name, keepFile }: { disk: string; keepFile: boolean },
): Promise<Vm> {
  const { environment, leases } = parts;
  await settleDisks(parts, { vm, home, process });
  const disk = vm.disks.find((one) => one.name === name);
  if (disk === undefined) return vm;
  if (isVolumePath(disk.path) && keepFile) throw isVolume(vm, name, disk.datastore);
  mustHaveNoSnapshots(vm, name, "removed");
  const next = withoutDisk(vm, name, process !== null);
  const stores = await environment.datastoresOf(vm);
  const deletes = !keepFile && keptBecause(disk, "made") === null;
  if (deletes) {
    await environment.checkOwnFiles(vm);
    if (process !== null && isVolumePath(disk.path)) await noteLeftVolumes(home, vm, [disk], true);
    else await noteDisk(home, vm, disk);
  }
  if (process !== null) await takeOut(process, next, home, disk);
  await saveVm(home, next);
  if (process !== null) await leases.writesTo(next, writtenStorage(process.spec));
  if (process !== null && isVolumePath(disk.path)) await settleDisks(parts, { vm: next, home, process });
  else if (deletes) await removeDiskImage(stores, next, disk);
  else if (disk.datastore !== undefined && !isBlockPath(disk.path))
    await releaseUnused(stores, next, disk.datastore);
  return next;
}

async function takeOut(process: QemuProcess, next: Vm, home: HeldVm["home"], disk: VmDisk): Promise<void> {
  const { name } = disk;
  const { spec } = process;
  const isGone = await unplug(process, name, unplugLimitMs).catch(async (error: unknown) => {
    if (GodwitError.is(error, "QMP_REFUSED")) {
      await forgetDiskNote(home, next.name);
      await forgetLeftVolume(home, next, disk);
    }
    throw error;
  });
  if (!isGone) {
    // An image that the guest lets go later stays; a volume goes then, so that none is without a VM.
    await forgetDiskNote(home, next.name);
    throw keptByGuest(next, `disk ${name}`, isVolumePath(disk.path));
  }
  const { [name]: path, ...diskPaths } = spec.diskPaths;
  await forgetDisk(process, name, path);
  await process.updateDevices({ vm: next, diskPaths, taps: spec.taps });
}

export const keptByGuest = ({ name: vm }: Vm, device: string, isVolume = false): GodwitError =>
  GodwitError.of("DEVICE_KEPT_BY_GUEST", { vm, device, seconds: unplugLimitMs / 1000, isVolume });

/** @throws DISK_UNKNOWN, DISK_HAS_SNAPSHOTS, DISK_SIZE_FIXED, DISK_NOT_LARGER */
export async function resizeDisk(
  { config, environment }: DevicesParts,
  { vm, process }: HeldVm,
  { disk: name, sizeMib }: { disk: string; sizeMib: number },
): Promise<Vm> {
  const disk = vm.disks.find((one) => one.name === name);
  if (disk === undefined) {
    const known = vm.disks.map((one) => one.name);
    throw GodwitError.of("DISK_UNKNOWN", { vm: vm.name, disk: name, known });
  }
  const { datastore = vm.datastore } = disk;
  if (lunOf(disk.path) !== null)
    throw GodwitError.of("DISK_SIZE_FIXED", { vm: vm.name, disk: name, datastore });
  mustHaveNoSnapshots(vm, name, "grown");
  await environment.checkOwnFiles(vm);
  const stores = await environment.datastoresOf(vm);
  const [volume] = stores.volumes([disk]);
  if (volume !== undefined) {
    await growVolume(volume.store, { vm, process }, disk, sizeMib);
    return vm;
  }
  const user = await ownerOf(stores.pathOf(disk), config.qemu.user);
  const bytes = process === null ? await diskBytes(stores, vm, disk, user) : await sizeOfDisk(process, name);
  const wanted = sizeMib * 1048576;
  mustBeLarger(vm, disk, { sizeMib, bytes, wanted });
  if (wanted === bytes) return vm;
  if (process === null) await growDisk(stores, vm, disk, { sizeMib, user });
  else await resizeInQemu(process, name, wanted);
  return vm;
}

/** In whole extents. A growth that was cut off is undone before. */
async function growVolume(
  store: VolumeGroup,
  { vm, process }: Pick<HeldVm, "vm" | "process">,
  disk: VmDisk,
  sizeMib: number,
): Promise<void> {
  const of = { vm, disk };
  const bytes = process === null ? await store.sizeOf(of) : await sizeOfDisk(process, disk.name);
  mustBeLarger(vm, disk, { sizeMib, bytes, wanted: wholeExtents(sizeMib * 1048576) });
  const now = await store.grow(of, sizeMib, process !== null);
  if (process !== null && now > bytes) await resizeInQemu(process, disk.name, now);
}

/** @throws DISK_NOT_LARGER */
function mustBeLarger(
  { name: vm }: Vm,
  { name: disk }: VmDisk,
  { sizeMib, bytes, wanted }: { sizeMib: number; bytes: number; wanted: number },
): void {
  if (wanted >= bytes) return;
  const nowMib = Math.ceil(bytes / 1048576);
  throw GodwitError.of("DISK_NOT_LARGER", { vm, disk, sizeMib, nowMib });
}

const isVolume = (vm: Vm, disk: string, datastore = vm.datastore): GodwitError =>
  GodwitError.of("DISK_IS_VOLUME", { vm: vm.name, disk, datastore });

/** Of an image: the one that can open it. */
export async function ownerOf(path: string, otherwise: string): Promise<UserIds> {
  const { uid, gid } = await stat(path);
  return uid === 0 ? await userIds(otherwise) : { uid, gid };
}

function mustHaveNoSnapshots(vm: Vm, disk: string, what: "removed" | "grown"): void {
  const snapshots = (vm.snapshots ?? []).filter((one) => one.vm.disks.some(({ name }) => name === disk));
  if (snapshots.length > 0)
    throw GodwitError.of("DISK_HAS_SNAPSHOTS", {
      ...{ vm: vm.name, disk, what },
      snapshots: snapshots.map(({ name }) => name),
    });
}
