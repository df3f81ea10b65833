/**
 * The variables of a VM's UEFI firmware: a file in the VM's folder, so that it moves with the VM and goes with it. It is copied
 * from the firmware's template, or from the VM that is cloned, and never written over.
 */
import { copyFile, open, rename, rm, stat } from "node:fs/promises";
import { GodwitError, nvramPath, nvramTemplate, type Firmware } from "@godwit/contract";
import { syncFolder, type UndoStack, type UserIds } from "@godwit/system";
import { giveTo } from "./copy-file.ts";
import type { Datastore } from "./datastore.ts";

export interface NvramToMake {
  vm: string;
  /** What it is a copy of, absolute. */
  template: string;
  /** QEMU's. */
  user: UserIds;
  /** Whether a file that is there is of an earlier attempt to make this very VM. */
  isRetry: boolean;
}

/** The VM's folder is there. @throws NVRAM_UNUSABLE */
export async function makeNvram(
  datastore: Datastore,
  { vm, template, user, isRetry }: NvramToMake,
  undo: UndoStack,
): Promise<void> {
  const path = datastore.resolve(nvramPath(vm));
  if (!isRetry && (await datastore.look(nvramPath(vm))) !== "missing")
    throw GodwitError.of("NVRAM_UNUSABLE", {
      vm,
      path,
      template,
      reason: "a file is there already, and is not written over",
    });
  const beside = datastore.resolve(`${vm}/.nvram.copy`);
  undo.push("remove the unfinished UEFI variables", () => rm(beside, { force: true }));
  await copyFile(template, beside);
  const file = await open(beside, "r+");
  await file.chmod(0o600).finally(() => file.close());
  await giveTo(user, beside);
  await rename(beside, path);
  undo.push("remove the UEFI variables", () => rm(path, { force: true }));
  await syncFolder(datastore.resolve(vm));
}

/**
 * That it is a file of the VM's own.
 * @returns its absolute path @throws NVRAM_UNUSABLE
 */
export async function checkNvram(datastore: Datastore, vm: string, firmware: Firmware): Promise<string> {
  const path = datastore.resolve(nvramPath(vm));
  const found = await datastore.look(nvramPath(vm));
  if (found === "file") return path;
  const words = { missing: "the file is not there", link: "it is, or lies behind, a symbolic link" };
  const reason = found === "missing" || found === "link" ? words[found] : "it is not a regular file";
  throw GodwitError.of("NVRAM_UNUSABLE", { vm, path, reason, template: nvramTemplate(firmware) });
}

/**
 * That this host's firmware can use it, too.
 * @param varsBytes that the firmware's variables have
 * @returns its absolute path @throws NVRAM_UNUSABLE
 */
export async function checkNvramSize(
  datastore: Datastore,
  vm: string,
  firmware: Firmware,
  varsBytes: number,
): Promise<string> {
  const path = await checkNvram(datastore, vm, firmware);
  const { size } = await stat(path);
  if (size === varsBytes) return path;
  const reason = `it has ${String(size)} bytes, and this host's firmware needs ${String(varsBytes)}`;
  throw GodwitError.of("NVRAM_UNUSABLE", { vm, path, reason, template: nvramTemplate(firmware) });
}

export async function removeNvram(datastore: Datastore, vm: string): Promise<void> {
  if ((await datastore.look(nvramPath(vm))) === "file")
    await rm(datastore.resolve(nvramPath(vm)), { force: true });
}
