/** Files of a datastore that a VM is to use: what may be one. */
import { GodwitError } from "@godwit/contract";
import type { Datastore } from "./datastore.ts";
import { diskFolderFile } from "./disk-folder.ts";
import { isOwnFile, vmFile } from "./vm-file.ts";

/** A file that a VM is to use, relative to the datastore. */
export interface DiskToCheck {
  vm: string;
  disk: string;
  path: string;
  host: string;
  /** Another VM in whose folder it may lie. */
  imagesOf?: string | undefined;
}

/**
 * That a file may be used by a VM: a regular file, no link, and neither another VM's nor one that Godwit keeps.
 * @throws DISK_MISSING, DISK_OF_OTHER_VM, DISK_NOT_OWN
 */
export async function checkDisk(
  datastore: Datastore,
  { vm, disk, path, host, imagesOf }: DiskToCheck,
): Promise<void> {
  const named = { vm, disk, path: datastore.resolve(path) };
  const found = await datastore.look(path);
  if (found === "missing") throw GodwitError.of("DISK_MISSING", { ...named, host });
  if (found !== "file") {
    const reason = found === "link" ? "it is, or lies behind, a symbolic link" : "it is not a regular file";
    throw GodwitError.of("DISK_NOT_OWN", { ...named, reason });
  }
  const names = path.split("/");
  const folder = names.length > 1 ? names[0] : undefined;
  if (names.some((name) => name.startsWith(".")) || (folder === vm && isOwnFile(names.at(-1) ?? ""))) {
    throw GodwitError.of("DISK_NOT_OWN", { ...named, reason: "Godwit keeps this file for itself" });
  }
  if (folder === undefined || folder === vm || folder === imagesOf) return;
  if (await isVmFolder(datastore, folder)) {
    throw GodwitError.of("DISK_OF_OTHER_VM", { ...named, other: folder });
  }
}

/** Whether a folder of the datastore is a VM's, or has disks of one. */
export async function isVmFolder(datastore: Datastore, folder: string): Promise<boolean> {
  const marks = [vmFile, diskFolderFile].map((file) => datastore.look(`${folder}/${file}`));
  return (await Promise.all(marks)).some((mark) => mark !== "missing");
}
