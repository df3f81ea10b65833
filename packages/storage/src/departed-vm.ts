/**
 * The files of a VM that another host has taken over with its disks: they are removed, its description first, so that nobody can
 * start it here any more. What of it was done before a crash is not done again.
 */
import { readdir, rename, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { hasSeed, type Vm } from "@godwit/contract";
import { syncFolder } from "@godwit/system";
import { removeImage } from "./disk-base.ts";
import { releaseDiskFolder } from "./disk-folder.ts";
import { removeSeed } from "./seed/seed-image.ts";
import type { VmDatastores } from "./vm-datastores.ts";
import { readVmFile, vmFile } from "./vm-file.ts";

/** What `vm.json` is called from then on, until all is removed. */
export const departedFile = ".godwit-departed.json";

/** @param vm as it was here */
export async function removeDeparted(stores: VmDatastores, vm: Vm): Promise<void> {
  const { own } = stores;
  if ((await own.look(vm.name)) !== "folder") return;
  const folder = own.resolve(vm.name);
  const isThere = (await own.look(`${vm.name}/${vmFile}`)) === "file";
  if (isThere) {
    // Another VM has the name: these files are not those that the move was about.
    if ((await readVmFile(own, vm.name))?.id !== vm.id) return;
    await rename(join(folder, vmFile), join(folder, departedFile));
    await syncFolder(folder);
  } else if ((await own.look(`${vm.name}/${departedFile}`)) !== "file") return;
  for (const disk of stores.files(vm.disks)) await removeImage(stores.named(disk.datastore), disk);
  for (const other of stores.others) await releaseDiskFolder(other, vm);
  if (hasSeed(vm)) await removeSeed(own, vm.name);
  await rm(join(folder, departedFile), { force: true });
  if ((await readdir(folder)).length === 0) await rmdir(folder);
}
