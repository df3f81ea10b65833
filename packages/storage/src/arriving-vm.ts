/**
 * The files of a VM that comes to this host together with its disks. Until it is taken over its folder has no `vm.json`, so that
 * nobody can start it from images that are not whole: the description waits beside, and is renamed when it is. A mark says which
 * move made the folder; nothing is removed that another has made.
 */
import { chmod, mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import {
  GodwitError,
  moveIdSchema,
  parseJson,
  versioned,
  vmIdSchema,
  type MovedStorage,
  type MoveId,
  type Vm,
} from "@godwit/contract";
import { readFileOrNull, run, syncFolder, writeFileAtomic, type UserIds } from "@godwit/system";
import { z } from "zod";
import { giveTo } from "./copy-file.ts";
import type { Datastore } from "./datastore.ts";
import { diskFolderFile } from "./disk-folder.ts";
import { readVmFile, vmFile } from "./vm-file.ts";

export const arrivalMark = ".godwit-arriving";
/** What becomes `vm.json`. */
const waitingFile = ".godwit-arriving-vm.json";
const markSchema = z.object({ version: z.literal(1), move: moveIdSchema, vm: vmIdSchema });
/** Of qcow2 images' own tables, and for what the guest writes while they are copied. */
const besideBytes = 64 * 1024 * 1024;

export interface Arrival {
  move: MoveId;
  /** As it is described here. */
  vm: Vm;
}

/**
 * Makes the VM's folder, with an empty image for each disk.
 * @param user that QEMU runs as
 * @throws DISK_FOLDER_TAKEN, DISK_EXISTS, SPACE_SHORT
 */
export async function beginArrival(
  datastore: Datastore,
  { move, vm }: Arrival,
  disks: NonNullable<MovedStorage["disks"]>,
  user: UserIds,
): Promise<void> {
  const folder = datastore.resolve(vm.name);
  const left = await markOf(datastore, vm.name);
  const has = (file: string) => datastore.look(`${vm.name}/${file}`).then((found) => found !== "missing");
  const isTaken =
    (await has(vmFile)) || (await has(diskFolderFile)) || ((await has(arrivalMark)) && left?.vm !== vm.id);
  await mkdir(folder, { recursive: true });
  if (isTaken || (await datastore.look(vm.name)) !== "folder")
    throw GodwitError.of("DISK_FOLDER_TAKEN", {
      vm: vm.name,
      datastore: datastore.config.name,
      path: folder,
    });
  // What a move whose end nobody noted has left; none is under way, for this one has the VM.
  if (left !== null) await removeArrived(datastore, { move: left.move, vm });
  await mkdir(folder, { recursive: true });
  const neededBytes = disks.reduce((sum, { usedBytes }) => sum + usedBytes, besideBytes);
  const { freeBytes } = await datastore.space();
  if (freeBytes < neededBytes)
    throw GodwitError.of("SPACE_SHORT", { path: datastore.config.path, neededBytes, freeBytes });
  for (const { name, path } of vm.disks)
    if ((await datastore.look(path)) !== "missing")
      throw GodwitError.of("DISK_EXISTS", { vm: vm.name, disk: name, path: datastore.resolve(path) });
  await writeFileAtomic(join(folder, arrivalMark), `${JSON.stringify({ version: 1, move, vm: vm.id })}\n`);
  await writeFileAtomic(join(folder, waitingFile), `${JSON.stringify(versioned(vm), null, 2)}\n`);
  for (const { name, path, format } of vm.disks) {
    const sizeBytes = disks.find((disk) => disk.name === name)?.sizeBytes;
    if (sizeBytes === undefined) throw new TypeError(`the size of disk ${name} is not known`);
    const image = datastore.resolve(path);
    await run("qemu-img", ["create", "-q", "-f", format, image, String(sizeBytes)], {
      what: `creating the image of disk ${name} of VM ${vm.name}`,
    });
    await chmod(image, 0o600);
    await giveTo(user, image);
  }
  await syncFolder(folder);
}

/** The images here are the VM's from now on: durable when it returns. Repeated without harm. */
export async function describeArrived(datastore: Datastore, { move, vm }: Arrival): Promise<void> {
  const folder = datastore.resolve(vm.name);
  await mustBeOf(datastore, { move, vm });
  try {
    await rename(join(folder, waitingFile), join(folder, vmFile));
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === "ENOENT";
    if (!isThere || (await readVmFile(datastore, vm.name))?.id !== vm.id) throw error;
  }
  await syncFolder(folder);
}

/** The move is over, and the VM is here. */
export async function endArrival(datastore: Datastore, { move, vm }: Arrival): Promise<void> {
  if ((await markOf(datastore, vm.name))?.move !== move) return;
  await rm(join(datastore.resolve(vm.name), arrivalMark), { force: true });
}

/** The VM does not come: removes what the move has made, its description first. Repeated without harm. */
export async function removeArrived(datastore: Datastore, { move, vm }: Arrival): Promise<void> {
  if ((await markOf(datastore, vm.name))?.move !== move) return;
  const folder = datastore.resolve(vm.name);
  await rm(join(folder, vmFile), { force: true });
  await rm(join(folder, waitingFile), { force: true });
  await syncFolder(folder);
  for (const { path } of vm.disks)
    if ((await datastore.look(path)) === "file") await rm(datastore.resolve(path), { force: true });
  await rm(join(folder, arrivalMark), { force: true });
  if ((await readdir(folder)).length === 0) await rmdir(folder);
}

async function mustBeOf(datastore: Datastore, { move, vm }: Arrival): Promise<void> {
  const mark = await markOf(datastore, vm.name);
  if (mark?.move !== move || mark.vm !== vm.id)
    throw new Error(`folder ${datastore.resolve(vm.name)} is not that of this move any more`);
}

/** Null where there is none, or none that can be read. */
async function markOf(datastore: Datastore, name: string): Promise<z.infer<typeof markSchema> | null> {
  if ((await datastore.look(`${name}/${arrivalMark}`)) !== "file") return null;
  const text = await readFileOrNull(join(datastore.resolve(name), arrivalMark));
  if (text === null) return null;
  try {
    return markSchema.safeParse(parseJson(text)).data ?? null;
  } catch {
    return null; // it is not even JSON
  }
}
