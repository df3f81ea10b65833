/**
 * The memory of a VM that is suspended to disk: a file in its folder, of root, which counts once `vm.json` has the suspension. That also records the state of
 * the VM's disks: a guest that went on with disks that somebody has written to since would destroy their file systems.
 */
import { constants } from "node:fs";
import { open, rename, rm, stat } from "node:fs/promises";
import type { Readable } from "node:stream";
import { GodwitError, suspendedMemoryPath, type Suspension, type Vm } from "@godwit/contract";
import { syncFolder } from "@godwit/system";
import type { Datastore } from "./datastore.ts";
import type { VmDatastores } from "./vm-datastores.ts";

/** Its guest runs, or is about to. */
export function notSuspended({ suspension: _, ...vm }: Vm): Vm {
  return vm;
}

/** @throws VM_SUSPENDED */
export function mustNotBeSuspended({ name: vm, suspension }: Vm): void {
  if (suspension === undefined) return;
  throw GodwitError.of("VM_SUSPENDED", { vm, suspendedAt: suspension.suspendedAt });
}

/** Where the memory is while it is written, absolute. */
export const unfinishedMemory = (datastore: Datastore, vm: string): string =>
  `${datastore.resolve(suspendedMemoryPath(vm))}.new`;

/** Durable when it returns. @returns its bytes @throws the system's error, with nothing left behind as far as that can be had */
export async function writeMemory(datastore: Datastore, vm: string, stream: Readable): Promise<number> {
  const beside = unfinishedMemory(datastore, vm);
  await rm(beside, { force: true });
  try {
    const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
    await using file = await open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    await file.writeFile(stream);
    await file.sync();
    const { size } = await file.stat();
    await rename(beside, datastore.resolve(suspendedMemoryPath(vm)));
    await syncFolder(datastore.resolve(vm));
    return size;
  } catch (error) {
    await rm(beside, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** @returns the absolute path and the bytes of the memory; null: there is no file, or what is there is none */
export async function findMemory(
  datastore: Datastore,
  vm: string,
): Promise<{ path: string; bytes: number } | null> {
  const relative = suspendedMemoryPath(vm);
  if ((await datastore.look(relative)) !== "file") return null;
  const path = datastore.resolve(relative);
  return { path, bytes: (await stat(path)).size };
}

/** Also what of it was not completed. */
export async function removeMemory(datastore: Datastore, vm: string): Promise<void> {
  await rm(unfinishedMemory(datastore, vm), { force: true });
  if ((await datastore.look(suspendedMemoryPath(vm))) === "file")
    await rm(datastore.resolve(suspendedMemoryPath(vm)), { force: true });
}

/** What those disks of a VM are now that are files. */
export async function disksNow(stores: VmDatastores, vm: Vm): Promise<Suspension["disks"]> {
  const files = new Set(stores.files(vm.disks));
  const disks: Suspension["disks"] = [];
  for (const disk of vm.disks) {
    if (!files.has(disk)) continue;
    // Opened, for an NFS client asks its server then.
    await using file = await open(
      stores.named(disk.datastore).resolve(disk.path),
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    );
    const { size, mtimeNs } = await file.stat({ bigint: true });
    disks.push({ name: disk.name, bytes: Number(size), modifiedNs: String(mtimeNs) });
  }
  return disks;
}

/** The disks that are not what they were when the VM was suspended, by their names. Pure. */
export function changedSince({ disks: then }: Pick<Suspension, "disks">, now: Suspension["disks"]): string[] {
  const same = (a: Suspension["disks"][number], b: Suspension["disks"][number]) =>
    a.name === b.name && a.bytes === b.bytes && a.modifiedNs === b.modifiedNs;
  const names = new Set([...then, ...now].map(({ name }) => name));
  for (const disk of then) if (now.some((one) => same(one, disk))) names.delete(disk.name);
  return [...names];
}
