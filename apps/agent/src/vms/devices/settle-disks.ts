/**
 * What earlier changes of a VM's disks have left of images and volumes. What is noted beside `vm.json` says whose they are; they go when
 * the VM is looked at next, by whoever runs it or has its exclusive lease.
 */
import { isVolumePath, type Vm, type VmDisk } from "@godwit/contract";
import { writtenStorage } from "@godwit/hypervisor";
import {
  forgetLapsedRequests,
  noteLeftVolumes,
  readDiskNote,
  readLeftVolumes,
  settleDiskFile,
  settleLeftVolumes,
  type Datastore,
  type VmDatastores,
} from "@godwit/storage";
import type { Logger } from "pino";
import type { Leases } from "../../leases/leases.ts";
import type { Environment } from "../environment.ts";
import type { HeldVm } from "./parts.ts";

interface Parts {
  environment: Pick<Environment, "datastoresOf">;
  leases: Pick<Leases, "writesTo">;
  log: Logger;
}

/** Volumes of disks that QEMU has no more. One whose removal was not asked for stays until the VM is deleted. */
export async function noteLostVolumes(home: Datastore, vm: Vm, disks: readonly VmDisk[]): Promise<void> {
  const volumes = disks.filter(({ path }) => isVolumePath(path));
  if (volumes.length === 0) return;
  // One that was being added is noted as that.
  const adding = await readDiskNote(home, vm.name);
  const lost = volumes.filter(({ path }) => path !== adding?.path);
  await noteLeftVolumes(home, vm, lost, false);
}

/**
 * Ends what earlier changes have left. A volume that cannot be removed now stays noted, and hinders nothing else.
 * @param held as `vm.json` and, where it runs, its QEMU have it
 * @throws what is wrong with the datastore of an image
 */
export async function settleDisks(
  { environment, leases, log }: Parts,
  { vm, home, process }: HeldVm,
): Promise<void> {
  const note = await readDiskNote(home, vm.name);
  const left = await readLeftVolumes(home, vm.name);
  if (note === null && left.length === 0) return;
  // The lease's holder has open what QEMU writes to.
  if (process !== null) await leases.writesTo(vm, writtenStorage(process.spec));
  if (note !== null) await settleDiskFile(await environment.datastoresOf(vm, [note.datastore]), vm, note);
  if (left.length === 0) return;
  try {
    const on = left.map(({ datastore }) => datastore);
    await settleLeftVolumes(await environment.datastoresOf(vm, on), vm, process !== null);
  } catch (error) {
    log.warn({ err: error, vm: vm.name }, "volumes that the VM has no more could not be removed yet");
  }
}

/**
 * Before a VM is powered on: that a guest was asked to let a disk go has ended with its QEMU, and the next one has the disk as before.
 * @returns whether something is left that is to be removed, which no start waits for
 */
export async function forgetRequests(home: Datastore, vm: Vm): Promise<boolean> {
  const isToGo = await forgetLapsedRequests(home, vm);
  return isToGo || (await readDiskNote(home, vm.name)) !== null;
}

/** A VM's datastores, and those with volumes that its description names no more. @throws DATASTORE_UNKNOWN, DATASTORE_UNAVAILABLE */
export async function datastoresWithLeft(
  environment: Parts["environment"],
  home: Datastore,
  vm: Vm,
): Promise<VmDatastores> {
  const left = await readLeftVolumes(home, vm.name);
  return await environment.datastoresOf(
    vm,
    left.map(({ datastore }) => datastore),
  );
}
