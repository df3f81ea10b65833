/**
 * A VM's folder on a datastore: `NAME/vm.json` and its disks: its whole state at rest, but for disks that lie on other
 * datastores, in a folder of the same name. A folder is
 * complete exactly when its `vm.json` is there; that is written last when one is made and removed
 * first when one is deleted, so a crash leaves unused files at worst, never half a VM.
 */
import { mkdir, readdir, rm, rmdir } from "node:fs/promises";
import { basename, join } from "node:path";
import {
  cdromOf,
  GodwitError,
  hasSeed,
  keptBecause,
  lunOf,
  spaceShort,
  storedModel,
  versioned,
  wishedFirmware,
  type CloudInit,
  type DisksToDelete,
  type Vm,
  type VmDescription,
  type VmDisk,
  type VmId,
} from "@godwit/contract";
import { readFileOrNull, UndoStack, userIds, writeFileAtomic, type UserIds } from "@godwit/system";
import { checkDisk } from "./check-file.ts";
import { arrivalMark } from "./arriving-vm.ts";
import type { Datastore } from "./datastore.ts";
import { isDiskFolderOf, releaseDiskFolder } from "./disk-folder.ts";
import { makeDisks, type DisksToMake } from "./disk-images.ts";
import { inspectImage } from "./inspect-image.ts";
import { checkNvram, makeNvram, removeNvram } from "./nvram.ts";
import { makeSeed, removeSeed } from "./seed/seed-image.ts";
import { checkTpmState, makeTpmState, removeTpmState } from "./tpm-state.ts";
import { removeLeases } from "./leases/lease-files.ts";
import type { VmDatastores } from "./vm-datastores.ts";
import { problemsOf, readVmFile, vmFile } from "./vm-file.ts";

/** In a folder whose VM is being made: its id. */
const creatingFile = ".godwit-creating";

/** What a description leaves open and the host decides. */
export interface CompletionDefaults {
  machine: string;
  cpu: Vm["cpu"];
  /** A MAC address for each NIC that has none. */
  macs: string[];
}

export interface CreateOptions {
  id: VmId;
  description: VmDescription;
  /** What the guest is told at its first boot; null: it is not known any more. */
  cloudInit?: CloudInit | null | undefined;
  defaults: CompletionDefaults;
  /** The user that QEMU runs as; owns the images. */
  owner: string;
  host: string;
  /** The name of a VM whose disks are copied; absent: no image lies in the folder of another VM. */
  imagesOf?: string | undefined;
  /** What the UEFI variables are a copy of, absolute; absent: the VM boots by the BIOS. */
  nvramTemplate?: string | undefined;
  /** Hears how far the copy of an image is, now and then. */
  onCopy?: DisksToMake["onCopy"];
}

/**
 * Creates a VM's folder with its disks. Called again with the same id it returns the VM that is there.
 * @throws VM_EXISTS, DISK_EXISTS, DISK_MISSING, DISK_OF_OTHER_VM, DISK_IN_USE, DISK_NOT_OWN, SPACE_SHORT, SEED_EXISTS, SEED_LOST, TPM_STATE_UNUSABLE, and what the inspection of an image throws
 */
export async function createVm(stores: VmDatastores, options: CreateOptions): Promise<Vm> {
  const { id, description, cloudInit, owner, host } = options;
  const datastore = stores.own;
  const folder = datastore.resolve(description.name);
  const existing = await readVmFile(datastore, description.name);
  if (existing !== null) {
    if (existing.id === id) return existing;
    throw GodwitError.of("VM_EXISTS", { vm: description.name });
  }
  await checkSpace(stores, description);
  await checkFiles(stores, options);

  await using undo = new UndoStack(() => undefined);
  // A folder without vm.json is what a crash left of an earlier attempt, or a folder of the user's: kept then.
  const made = await mkdir(folder, { recursive: true });
  if (made !== undefined) undo.push("remove the VM's folder", () => rmdir(folder));
  if ((await datastore.look(description.name)) !== "folder") {
    throw GodwitError.of("VM_DESCRIPTION_INVALID", {
      source: join(folder, vmFile),
      problems: [`${folder} is a symbolic link or no folder`],
    });
  }
  // Says whose the files in it are, while they are not a VM's yet.
  const marker = join(folder, creatingFile);
  const isRetry = (await readFileOrNull(marker))?.trim() === id;
  if (cloudInit === null) {
    if (isRetry) await removeSeed(datastore, description.name);
    throw GodwitError.of("SEED_LOST", { vm: description.name, host });
  }
  await writeFileAtomic(marker, `${id}\n`);
  undo.push("remove the mark of a VM that is being made", () => rm(marker, { force: true }));
  const user = await userIds(owner);
  if (cloudInit !== undefined)
    await makeSeed(datastore, { id, vm: description.name, cloudInit, user, isRetry }, undo);
  const { nvramTemplate: template } = options;
  if (template !== undefined)
    await makeNvram(datastore, { vm: description.name, template, user, isRetry }, undo);
  if (description.tpm === true) await makeTpmState(datastore, { vm: description.name, isOwn: isRetry }, undo);
  const disks = await makeDisks(
    stores,
    { id, vm: description.name, disks: description.disks, user, host, isRetry, onCopy: options.onCopy },
    undo,
  );
  const vm = complete(options, disks);
  await saveVm(datastore, vm);
  undo.commit();
  await rm(marker, { force: true });
  return vm;
}

/** Replaces a VM's description atomically. @throws SPACE_SHORT */
export async function saveVm(datastore: Datastore, vm: Vm): Promise<void> {
  const folder = datastore.resolve(vm.name);
  await writeFileAtomic(join(folder, vmFile), textOf(versioned(vm))).catch((error: unknown) => {
    throw spaceShort(error, folder) ?? error;
  });
}

const textOf = (vm: Vm): string => `${JSON.stringify(vm, null, 2)}\n`;

/** @throws VM_UNKNOWN, VM_DESCRIPTION_INVALID */
export async function readVm(datastore: Datastore, name: string): Promise<Vm> {
  const vm = await readVmFile(datastore, name);
  if (vm === null) throw GodwitError.of("VM_UNKNOWN", { vm: name });
  return vm;
}

/**
 * Removes a VM's folder with its disks.
 * @param which disks go: by default those that Godwit is known to have made or copied; the others stay in the folder.
 *
 * Files that are not its own are left, with their folder: what Godwit did not
 * create, and links in the place of disks with what they lead to.
 * @throws VM_DESCRIPTION_INVALID: nothing is removed then, since which disks are its own is not known
 */
export async function deleteVm(
  stores: VmDatastores,
  name: string,
  which: DisksToDelete = "made",
): Promise<void> {
  const datastore = stores.own;
  const vm = await readVmFile(datastore, name);
  const folder = datastore.resolve(name);
  if (vm === null) return;
  // On the other datastores first: without vm.json nobody knows of them.
  for (const other of stores.others) {
    if (!(await isDiskFolderOf(other, vm))) continue; // what lies there is not this VM's
    for (const disk of vm.disks.filter(({ datastore: on }) => on === other.config.name))
      await deleteDisk(stores, disk, which);
    await releaseDiskFolder(other, vm);
  }
  await rm(join(folder, vmFile));
  await removeLeases(datastore, name);
  for (const disk of vm.disks.filter(({ datastore: on }) => on === undefined))
    await deleteDisk(stores, disk, which);
  if (hasSeed(vm)) await removeSeed(datastore, name);
  if (vm.firmware !== undefined) await removeNvram(datastore, name);
  await removeTpmState(datastore, name);
  await rm(join(folder, creatingFile), { force: true });
  await rm(join(folder, arrivalMark), { force: true });
  if ((await readdir(folder)).length === 0) await rmdir(folder);
}

async function deleteDisk(stores: VmDatastores, disk: VmDisk, which: DisksToDelete): Promise<void> {
  if (keptBecause(disk, which) !== null) return;
  const store = stores.named(disk.datastore);
  if ((await store.look(disk.path)) === "file") await rm(store.resolve(disk.path), { force: true });
}

function complete({ id, description, defaults }: CreateOptions, disks: VmDisk[]): Vm {
  const { name, datastore, memoryMib, vcpus, boot, guestAgent, cdroms = [], cpuAffinity } = description;
  const firmware = wishedFirmware(description);
  let spare = 0;
  return versioned({
    version: 1,
    id,
    name,
    datastore,
    memoryMib,
    vcpus,
    cpu: defaults.cpu,
    ...(description.cpu === undefined ? {} : { cpuWish: description.cpu }),
    machine: description.machine ?? defaults.machine,
    disks,
    nics: description.nics.map(({ portGroup, mac, addresses, model }) => ({
      portGroup,
      mac: mac ?? (defaults.macs[spare++] as string),
      ...(addresses === undefined ? {} : { addresses }),
      ...storedModel(model),
    })),
    ...(cdroms.length === 0 ? {} : { cdroms: cdroms.map((drive) => cdromOf(drive, datastore)) }),
    ...(cpuAffinity === undefined ? {} : { cpuAffinity }),
    ...(boot === undefined ? {} : { boot }),
    ...(firmware === undefined ? {} : { firmware }),
    ...(description.tpm === true ? { tpm: description.tpm } : {}),
    ...(guestAgent ? { guestAgent } : {}),
  });
}

/** New images start small; what is asked for is the least that must be free to make them at all. */
async function checkSpace(stores: VmDatastores, { disks }: VmDescription): Promise<void> {
  for (const store of [stores.own, ...stores.others]) {
    const raw = stores
      .files(disks)
      .filter(({ datastore, format }) => stores.named(datastore) === store && format === "raw");
    const neededBytes = 16 * 1048576 + raw.reduce((sum, disk) => sum + (disk.sizeMib ?? 0) * 1048576, 0);
    const { freeBytes } = await store.space();
    const { path } = store.config;
    if (freeBytes < neededBytes) throw GodwitError.of("SPACE_SHORT", { path, neededBytes, freeBytes });
  }
}

async function checkFiles(
  stores: VmDatastores,
  { description, host, imagesOf }: CreateOptions,
): Promise<void> {
  const vm = description.name;
  for (const disk of stores.files(description.disks)) {
    if (disk.image === undefined) continue;
    const store = stores.named(disk.imageDatastore ?? disk.datastore);
    // After a crash in the middle of an earlier attempt the image may already be in the VM's folder.
    const target = `${vm}/${disk.name}.${disk.format}`;
    const path = disk.take === true && (await store.look(disk.image)) === "missing" ? target : disk.image;
    await checkDisk(store, { vm, disk: disk.name, path, host, imagesOf });
  }
  for (const path of [description.boot?.kernel, description.boot?.initrd]) {
    if (path !== undefined) await checkDisk(stores.own, { vm, disk: basename(path), path, host });
  }
}

/**
 * That a VM's description names only files of its own, whatever is in them.
 * @throws VM_DESCRIPTION_INVALID, NVRAM_UNUSABLE, TPM_STATE_UNUSABLE, DISK_MISSING, DISK_OF_OTHER_VM, DISK_NOT_OWN
 */
export async function checkOwnFiles(stores: VmDatastores, vm: Vm, host: string): Promise<void> {
  const problems = problemsOf(vm, stores.own.config.name, vm.name);
  if (problems.length > 0) {
    throw GodwitError.of("VM_DESCRIPTION_INVALID", { source: `of VM ${vm.name}`, problems });
  }
  for (const path of [vm.boot?.kernel, vm.boot?.initrd]) {
    if (path !== undefined) await checkDisk(stores.own, { vm: vm.name, disk: basename(path), path, host });
  }
  if (vm.firmware !== undefined) await checkNvram(stores.own, vm.name, vm.firmware);
  if (vm.tpm === true) await checkTpmState(stores.own, vm.name);
  for (const { disk, store } of stores.luns(vm.disks)) store.lun({ ...disk, vm: vm.name, disk: disk.name });
  for (const { name: disk, datastore, path } of stores.files(vm.disks)) {
    const store = stores.named(datastore);
    await checkDisk(store, { vm: vm.name, disk, path, host });
    const notOwn = (reason: string) =>
      GodwitError.of("DISK_NOT_OWN", { vm: vm.name, disk, path: store.resolve(path), reason });
    if (lunOf(path) !== null) throw notOwn(`datastore ${store.config.name} has files and no LUNs`);
    if (store !== stores.own && !(await isDiskFolderOf(store, vm)))
      throw notOwn(`folder ${vm.name} on datastore ${store.config.name} is not marked as this VM's`);
  }
}

/**
 * That a VM's disks are images that QEMU may open. They were checked to be its own.
 * @param user that QEMU runs as. @throws what the inspection of an image throws
 */
export async function inspectDisks(stores: VmDatastores, vm: Vm, user: UserIds): Promise<void> {
  await Promise.all(
    stores.files(vm.disks).map(async (disk) => {
      const path = stores.pathOf(disk);
      await inspectImage({ vm: vm.name, disk: disk.name, path, format: disk.format, user, state: "own" });
    }),
  );
}
