/** ISO images as media of CD-ROM drives: files of datastores that several VMs may read, and none writes. */
import { GodwitError } from "@godwit/contract";
import type { UserIds } from "@godwit/system";
import type { Datastore } from "./datastore.ts";
import { firstUnopenable } from "./disk-owner.ts";
import { isOwnFile } from "./vm-file.ts";
import { isVmFolder } from "./check-file.ts";

export interface MediumToCheck {
  vm: string;
  drive: string;
  /** Relative to the datastore. */
  path: string;
  host: string;
  /** That QEMU runs as. */
  user: UserIds;
}

/**
 * That a VM may read a file as a medium: a regular file, no link, nothing that Godwit keeps, in no VM's folder but the VM's
 * own, and readable by its user.
 * @returns its absolute path @throws CDROM_MEDIUM_MISSING, CDROM_MEDIUM_UNUSABLE
 */
export async function checkMedium(
  datastore: Datastore,
  { vm, drive, path, host, user }: MediumToCheck,
): Promise<string> {
  const named = { vm, drive, datastore: datastore.config.name, path, host };
  const unusable = (reason: string) => GodwitError.of("CDROM_MEDIUM_UNUSABLE", { ...named, reason });
  const found = await datastore.look(path);
  if (found === "missing") throw GodwitError.of("CDROM_MEDIUM_MISSING", named);
  if (found === "link") throw unusable("it is, or lies behind, a symbolic link");
  if (found !== "file") throw unusable("it is not a regular file");
  const names = path.split("/");
  if (names.some((name) => name.startsWith(".")) || isOwnFile(names.at(-1) ?? ""))
    throw unusable("Godwit keeps this file for itself");
  const [folder, inside] = names;
  if (folder === vm && names.length > 2 && isOwnFile(inside ?? ""))
    throw unusable("Godwit keeps this file for itself");
  if (names.length > 1 && folder !== vm && (await isVmFolder(datastore, folder ?? "")))
    throw unusable(`it lies in the folder of VM ${folder ?? ""}`);
  const file = { path: datastore.resolve(path), how: "r" } as const;
  const refused = await firstUnopenable([file], vm, user);
  if (refused !== null)
    throw unusable(`QEMU's user, uid ${String(user.uid)}, cannot read it: ${refused.reason}`);
  return file.path;
}
