/** A VM's disks with their sizes: of one that runs here as its guest sees them, of another as its images say. */
import { lunOf, type SizedDisk, type Vm, type VmDisk } from "@godwit/contract";
import { sizesOfDisks } from "@godwit/hypervisor";
import { diskBytes, readVm } from "@godwit/storage";
import { ownerOf } from "./disk-changes.ts";
import type { DevicesParts } from "./parts.ts";

/** A size that cannot be found out is null. @throws VM_UNKNOWN, VM_DESCRIPTION_INVALID and what is wrong with its datastore */
export async function listDisks(
  { config, environment, processes, log }: DevicesParts,
  datastore: string,
  name: string,
): Promise<SizedDisk[]> {
  const stored = await readVm(await environment.datastore(datastore), name);
  const process = processes.of(stored.id);
  const unknown = (error: unknown) => {
    log.info({ err: error, vm: name }, "the size of a disk could not be found out");
    return null;
  };
  if (process !== undefined) {
    const sizes = (await sizesOfDisks(process).catch(unknown)) ?? new Map<string, number>();
    return process.spec.vm.disks.map((disk) => ({ ...disk, sizeBytes: sizes.get(disk.name) ?? null }));
  }
  const sized = stored.disks.map(async (disk) => ({
    ...disk,
    sizeBytes: lunOf(disk.path) === null ? await atRest(stored, disk).catch(unknown) : null,
  }));
  return await Promise.all(sized);

  async function atRest(vm: Vm, disk: VmDisk): Promise<number> {
    await environment.checkOwnFiles({ ...vm, disks: [disk] });
    const stores = await environment.datastoresOf({ ...vm, disks: [disk] });
    const [volume] = stores.volumes([disk]);
    if (volume !== undefined) return await volume.store.sizeOf({ vm, disk });
    return await diskBytes(stores, vm, disk, await ownerOf(stores.pathOf(disk), config.qemu.user));
  }
}
