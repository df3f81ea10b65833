/**
 * The folder of a VM's disks on a datastore that is not the VM's own: `NAME/`, with a file that says whose it is. What
 * the VM is stands in its `vm.json` only, which is elsewhere.
 */
import { mkdir, readdir, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { GodwitError, parseJson, vmIdSchema, type VmId } from "@godwit/contract";
import { readFileOrNull, writeFileAtomic, type UndoStack } from "@godwit/system";
import { z } from "zod";
import type { Datastore } from "./datastore.ts";

export const diskFolderFile = ".godwit-disks";
const ownerSchema = z.object({ version: z.literal(1), vm: vmIdSchema });

/**
 * Makes the folder, or takes the one that an earlier attempt to make this VM left.
 * @returns whether it was the VM's before
 * @throws DISK_FOLDER_TAKEN when it is another VM's, or something else is there
 */
export async function claimDiskFolder(
  datastore: Datastore,
  { id, name }: { id: VmId; name: string },
  undo: UndoStack,
): Promise<boolean> {
  const folder = datastore.resolve(name);
  const made = await mkdir(folder, { recursive: true });
  if (made !== undefined) undo.push("remove the folder of the disks", () => rmdir(folder));
  const isFolder = (await datastore.look(name)) === "folder";
  const owner = isFolder ? await ownerOf(datastore, name) : "unknown";
  if (owner !== null && owner !== id)
    throw GodwitError.of("DISK_FOLDER_TAKEN", { vm: name, datastore: datastore.config.name, path: folder });
  const file = join(folder, diskFolderFile);
  if (owner === null) await writeFileAtomic(file, `${JSON.stringify({ version: 1, vm: id })}\n`);
  undo.push("remove the mark of the folder of the disks", () => rm(file, { force: true }));
  return owner === id;
}

/** Whether the folder of this name there is marked as the VM's. */
export async function isDiskFolderOf(
  datastore: Datastore,
  { id, name }: { id: VmId; name: string },
): Promise<boolean> {
  return (await datastore.look(name)) === "folder" && (await ownerOf(datastore, name)) === id;
}

/** Takes the mark away, and the folder unless something is left in it. One that is another VM's stays as it is. */
export async function releaseDiskFolder(datastore: Datastore, vm: { id: VmId; name: string }): Promise<void> {
  if (!(await isDiskFolderOf(datastore, vm))) return;
  const folder = datastore.resolve(vm.name);
  await rm(join(folder, diskFolderFile), { force: true });
  if ((await readdir(folder)).length === 0) await rmdir(folder);
}

/** Null where the file is not there; of one that cannot be read: a VM that nobody knows. */
async function ownerOf(datastore: Datastore, name: string): Promise<VmId | "unknown" | null> {
  const text = await readFileOrNull(join(datastore.resolve(name), diskFolderFile));
  if (text === null) return null;
  try {
    const parsed = ownerSchema.safeParse(parseJson(text));
    return parsed.success ? parsed.data.vm : "unknown";
  } catch {
    return "unknown"; // it is not even JSON
  }
}
