/**
 * The run folder of a VM's process. It belongs to root and is open to QEMU's group only for passing through; QEMU
 * finds what it needs already open. Earlier agents gave the folder to QEMU's user: such a one is taken over when it is found.
 */
import { once } from "node:events";
import { chmod, chown, lchown, lstat, mkdir, readdir, rm } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import type { UserIds } from "@godwit/system";
import type { RunPaths } from "./launch-spec.ts";

/** A new one, empty. @param ids of QEMU's user */
export async function prepareRunFolder({ folder }: RunPaths, { gid }: UserIds): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chown(folder, 0, gid);
  // The way to the socket of a move's second stream, which QEMU connects to.
  await chmod(folder, 0o710);
}

/** What QEMU's user made in an earlier agent's folder, and may go on being used: nothing that tells of the process. */
const taken = /^(.+\.sock|qemu\.log|serial\.log)$/;

/**
 * Makes an earlier agent's folder root's, with QEMU's sockets and messages in it; links go. QEMU has open what it
 * uses of them. What it may have put in the place of root's own files stays its user's, and so is not read.
 * @throws Error when there is a folder in it
 */
export async function takeOver(folder: string): Promise<void> {
  const self = await lstat(folder);
  if (!self.isDirectory()) throw new Error("it is no folder");
  const { uid, gid } = self;
  if (uid === 0) return;
  await lchown(folder, 0, gid);
  await chmod(folder, 0o710);
  // From here on nobody else can change what is in it.
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const found = await lstat(path);
    if (found.isDirectory()) throw new Error(`there is a folder ${name} in it`);
    if (!found.isSocket() && (!found.isFile() || found.nlink !== 1)) await rm(path);
    else if (taken.test(name)) await lchown(path, 0, 0);
  }
}

/** Whether somebody listens on a socket. @throws the system's error when that could not be found out */
export async function hasListener(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(5000) });
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ECONNREFUSED" || code === "ENOENT") return false;
    throw error;
  } finally {
    socket.destroy();
  }
}
