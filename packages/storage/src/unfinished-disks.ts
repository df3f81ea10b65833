/**
 * Disks that earlier attempts to make a VM have made, where the last one ends too: an attempt that was cut off undid nothing. An image that
 * was taken over stays.
 */
import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import { diskBasePaths, type VmDescription, type VmId } from "@godwit/contract";
import type { Datastore } from "./datastore.ts";
import { isSameFile } from "./disk-base.ts";
import { isDiskFolderOf } from "./disk-folder.ts";
import type { VmDatastores } from "./vm-datastores.ts";

/** The folder is marked as one in which this VM is made. @throws the system's error, and what the removal of a volume throws */
export async function removeUnfinishedDisks(
  stores: VmDatastores,
  { id, description: { name: vm, disks } }: { id: VmId; description: VmDescription },
): Promise<void> {
  for (const group of stores.volumeGroups) await group.removeOf({ id, name: vm }, new Set());
  for (const { name, format, datastore, image, imageDatastore, take, linked } of stores.files(disks)) {
    const store = stores.named(datastore);
    if (store !== stores.own && !(await isDiskFolderOf(store, { id, name: vm }))) continue;
    const path = `${vm}/${name}.${format}`;
    const isTaken = take === true || (image === path && (imageDatastore ?? datastore) === datastore);
    if (linked === true) await removeLinks(store, vm, { name, image });
    for (const file of [...(isTaken ? [] : [path]), `${vm}/.${name}.${format}.copy`, `${vm}/.${name}.vmdk`])
      if ((await store.look(file)) === "file") await rm(store.resolve(file), { force: true });
  }
}

/** Names of what the disk was to be linked to: an image of the library, or the base of a disk that was copied. */
async function removeLinks(
  store: Datastore,
  vm: string,
  { name, image = "" }: { name: string; image?: string | undefined },
): Promise<void> {
  for (const base of diskBasePaths(vm, name))
    for (const source of [image, ...diskBasePaths(dirname(image), name)])
      if (source !== base && (await isSameFile(store, source, base)))
        await rm(store.resolve(base), { force: true });
}
