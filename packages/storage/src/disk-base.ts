/**
 * Bases of linked disks as files: hard links of one inode in the folders of all VMs that read it. The file system counts them, so each VM
 * removes its own, and what nobody reads any more is gone. Nobody writes to a base: it is root's, and closed to writers.
 */
import { constants } from "node:fs";
import { link, open, rm, stat, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { GodwitError, type DiskBase, type Vm, type VmDisk } from "@godwit/contract";
import { syncFolder, type UndoStack } from "@godwit/system";
import type { Datastore } from "./datastore.ts";
import { refusals } from "./refusals.ts";

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/** What a file system answers that has no hard links, or no more of them. */
const noLinks = ["EPERM", "EMLINK", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EXDEV", "EACCES"];

/** Whose disk is linked. */
interface Linked {
  vm: string;
  disk: string;
}

/**
 * One more name for a file of the datastore, durable when it returns. One that it has already stays.
 * @param from relative to the datastore, as is `to`
 * @throws DISK_NOT_LINKABLE, DISK_EXISTS
 */
export async function linkFile(
  store: Datastore,
  { from, to }: { from: string; to: string },
  { vm, disk }: Linked,
  undo: UndoStack,
): Promise<void> {
  const target = store.resolve(to);
  if (await isSameFile(store, from, to)) return;
  try {
    await link(store.resolve(from), target);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (code === "EEXIST") throw GodwitError.of("DISK_EXISTS", { vm, disk, path: target }, { cause: error });
    if (!noLinks.includes(code)) throw error;
    throw GodwitError.of("DISK_NOT_LINKABLE", { vm, disk, reason: "storage", what: code }, { cause: error });
  }
  undo.push("remove the link to the base", () => rm(target, { force: true }));
  await syncFolder(dirname(target));
}

/**
 * Makes a base root's, readable for all and writable for none. A storage that does not let root do that leaves it as it is: there all
 * VMs run as one user, and QEMU sees the base read-only.
 */
export async function protectBase(path: string): Promise<void> {
  let file: FileHandle | null = null;
  try {
    file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const { uid, gid, mode } = await file.stat();
    if (uid !== 0 || gid !== 0) await file.chown(0, 0);
    if ((mode & 0o7777) !== baseMode) await file.chmod(baseMode);
  } catch (error) {
    if (!refusals.includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  } finally {
    await file?.close();
  }
}

const baseMode = 0o444;

/** Whether the file of a disk is a base, which others read: no disk's own image has this mode and further names. */
export async function isSharedBase(path: string): Promise<boolean> {
  const { mode, nlink } = await stat(path);
  return nlink > 1 && (mode & 0o7777) === baseMode;
}

/** Removes the image of a disk, with its link to its base. */
export async function removeImage(
  store: Datastore,
  { path, base }: Pick<VmDisk, "path" | "base">,
): Promise<void> {
  for (const file of [path, ...(base === undefined ? [] : [base.path])])
    if ((await store.look(file)) === "file") await rm(store.resolve(file), { force: true });
}

/** Removes a link to a base that no disk of the VM has. @param vm as `vm.json` has it */
export async function removeUnusedBase(
  store: Datastore,
  { disks }: Pick<Vm, "disks">,
  { path }: DiskBase,
): Promise<void> {
  if (disks.some(({ base }) => base?.path === path)) return;
  if ((await store.look(path)) === "file") await rm(store.resolve(path), { force: true });
}

/** Whether two names are of one file. One that is missing, or a link, is the same as none. */
export async function isSameFile(store: Datastore, one: string, other: string): Promise<boolean> {
  for (const path of [one, other]) if ((await store.look(path)) !== "file") return false;
  const [a, b] = await Promise.all([one, other].map((path) => stat(store.resolve(path), { bigint: true })));
  return a?.dev === b?.dev && a?.ino === b?.ino;
}

/** On the host. */
export const baseAt = (store: Datastore, base: DiskBase | undefined): DiskBase | null =>
  base === undefined ? null : { ...base, path: store.resolve(base.path) };
