/**
 * A VM's folder on a datastore: `NAME/vm.json` and its disks: its whole state at rest, but for disks that lie on other
 * datastores, in a folder of the same name. A folder is
 * complete exactly when its `vm.json` is there; that is written last when one is made and removed
 * first when one is deleted, so a crash leaves unused files at worst, never half a VM.
 */
import { readdir, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import {
  GodwitError,
  hasSeed,
  keptBecause,
  spaceShort,
  versioned,
  type DisksToDelete,
  type Vm,
  type VmDisk,
} from "@godwit/contract";
import { writeFileAtomic } from "@godwit/system";
import { arrivalMark } from "./arriving-vm.ts";
import type { Datastore } from "./datastore.ts";
import { removeImage } from "./disk-base.ts";
import { isDiskFolderOf, releaseDiskFolder } from "./disk-folder.ts";
import { removeLeftNote } from "./left-volumes.ts";
import { removeLeases } from "./leases/lease-files.ts";
import { removeNvram } from "./nvram.ts";
import { removeSeed } from "./seed/seed-image.ts";
import { removeMemory } from "./suspended-memory.ts";
import { removeTpmState } from "./tpm-state.ts";
import type { VmDatastores } from "./vm-datastores.ts";
import { readVmFile, vmFile } from "./vm-file.ts";

/** In a folder whose VM is being made: its id. */
export const creatingFile = ".godwit-creating";

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
  // With those that no description names any more.
  if (which !== "none") {
    const kept = vm.disks.filter((disk) => keptBecause(disk, which) !== null).map(({ path }) => path);
    for (const store of stores.volumeGroups) await store.removeOf(vm, new Set(kept));
  }
  await rm(join(folder, vmFile));
  await removeLeases(datastore, name);
  for (const disk of vm.disks.filter(({ datastore: on }) => on === undefined))
    await deleteDisk(stores, disk, which);
  if (hasSeed(vm)) await removeSeed(datastore, name);
  if (vm.firmware !== undefined) await removeNvram(datastore, name);
  await removeTpmState(datastore, name);
  await removeMemory(datastore, name);
  await removeLeftNote(datastore, name);
  await rm(join(folder, creatingFile), { force: true });
  await rm(join(folder, arrivalMark), { force: true });
  if ((await readdir(folder)).length === 0) await rmdir(folder);
}

async function deleteDisk(stores: VmDatastores, disk: VmDisk, which: DisksToDelete): Promise<void> {
  if (keptBecause(disk, which) !== null) return;
  await removeImage(stores.named(disk.datastore), disk);
}
