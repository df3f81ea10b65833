/**
 * The state of a VM's TPM: a folder in the VM's own, empty until the TPM is started for the first time, so that it moves with the VM
 * and goes with it. A folder that is not there is not made silently: a guest whose disk is encrypted would find another TPM.
 */
import { chmod, mkdir, readdir, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { GodwitError, tpmFiles, tpmFolder } from "@godwit/contract";
import { syncFolder, type UndoStack } from "@godwit/system";
import type { Datastore } from "./datastore.ts";

/**
 * The VM's folder is there. A VM that had a TPM before has it again. It becomes its user's with the disks.
 * @param isOwn whether a folder that is there is this very VM's @throws TPM_STATE_UNUSABLE
 */
export async function makeTpmState(
  datastore: Datastore,
  { vm, isOwn }: { vm: string; isOwn: boolean },
  undo?: UndoStack,
): Promise<void> {
  const path = datastore.resolve(tpmFolder(vm));
  if ((await datastore.look(tpmFolder(vm))) !== "missing") {
    if (!isOwn) throw unusable(vm, path, "a folder is there already, and may be another VM's");
    await checkTpmState(datastore, vm);
    return;
  }
  await mkdir(path);
  undo?.push("remove the folder of the TPM", () => rmdir(path));
  await chmod(path, 0o700);
  await syncFolder(datastore.resolve(vm));
}

/**
 * That it is a folder of the VM's own, with nothing that leads elsewhere.
 * @returns its absolute path @throws TPM_STATE_UNUSABLE
 */
export async function checkTpmState(datastore: Datastore, vm: string): Promise<string> {
  const path = datastore.resolve(tpmFolder(vm));
  const found = await datastore.look(tpmFolder(vm));
  if (found === "missing") throw unusable(vm, path, "the folder is not there");
  if (found !== "folder") throw unusable(vm, path, "it is not a folder, or lies behind a symbolic link");
  for (const name of tpmFiles) {
    const file = await datastore.look(`${tpmFolder(vm)}/${name}`);
    if (file !== "missing" && file !== "file")
      throw unusable(vm, path, `${name} in it is not a regular file`);
  }
  return path;
}

/** What the emulator writes: its state by kinds, copies that it makes while it writes, and its lock. */
const isOfEmulator = (name: string): boolean => /^(?:\.lock|(?:tpm|TMP)2-00\..+)$/.test(name);

/** What somebody else has put there stays, with the folder. */
export async function removeTpmState(datastore: Datastore, vm: string): Promise<void> {
  if ((await datastore.look(tpmFolder(vm))) !== "folder") return;
  const path = datastore.resolve(tpmFolder(vm));
  for (const entry of await readdir(path, { withFileTypes: true }))
    if (!entry.isDirectory() && isOfEmulator(entry.name)) await rm(join(path, entry.name), { force: true });
  await rmdir(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== "ENOTEMPTY") throw error;
  });
}

const unusable = (vm: string, path: string, reason: string): GodwitError =>
  GodwitError.of("TPM_STATE_UNUSABLE", { vm, path, reason });
