/** What a VM's description names: that it is the VM's own, and that QEMU may open it, whoever wrote the description. */
import { basename } from "node:path";
import { GodwitError, isBlockPath, type Vm } from "@godwit/contract";
import type { UserIds } from "@godwit/system";
import { checkDisk } from "./check-file.ts";
import { isSharedBase } from "./disk-base.ts";
import { isDiskFolderOf } from "./disk-folder.ts";
import { inspectImage } from "./inspect-image.ts";
import { checkNvram } from "./nvram.ts";
import { checkTpmState } from "./tpm-state.ts";
import type { VmDatastores } from "./vm-datastores.ts";
import { problemsOf } from "./vm-file.ts";

/**
 * That a VM's description names only files of its own. What is in them is not looked at.
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
  for (const { disk, store } of stores.volumes(vm.disks)) store.volumeOf({ vm, disk });
  for (const { name: disk, datastore, path, base } of stores.files(vm.disks)) {
    const store = stores.named(datastore);
    await checkDisk(store, { vm: vm.name, disk, path, host });
    if (base !== undefined) await checkDisk(store, { vm: vm.name, disk, path: base.path, host });
    const notOwn = (reason: string) =>
      GodwitError.of("DISK_NOT_OWN", { vm: vm.name, disk, path: store.resolve(path), reason });
    if (isBlockPath(path)) throw notOwn(`datastore ${store.config.name} has files and no LUNs`);
    if (await isSharedBase(store.resolve(path)))
      throw notOwn("it is a base that linked disks share, and nobody writes to it");
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
      const of = { vm: vm.name, disk: disk.name, user, state: "own" as const };
      await inspectImage({ ...of, path, format: disk.format, base: disk.base });
      for (const base of stores.bases([disk]))
        await inspectImage({ ...of, path: base.path, format: base.format });
    }),
  );
}
