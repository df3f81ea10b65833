/**
 * A lease is revoked before its host is kept from writing: from then on it gives nobody the right to start the VM, whoever holds it. It is a
 * file beside the lease (`lease-3.revoked`) that is not empty, and stays until the VM is deleted. What is empty was only looked at.
 */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { syncFolder } from "@godwit/system";
import type { LeasePlace } from "./sanlock-resource.ts";

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;
/** Whatever else has its name on the storage is neither followed nor waited for. */
const careful = O_NOFOLLOW | O_NONBLOCK;

const markOf = ({ path }: Pick<LeasePlace, "path">): string => `${path}.revoked`;

/** @param because for people. Killed meanwhile, it is revoked or it is not. Done again, nothing changes */
export async function revokeLease(place: Pick<LeasePlace, "path">, because: string): Promise<void> {
  const mark = await open(markOf(place), O_WRONLY | O_CREAT | O_APPEND | careful, 0o600);
  try {
    await mark.write(`${because}\n`);
    await mark.sync();
  } finally {
    await mark.close();
  }
  await syncFolder(dirname(place.path));
}

/** As this host sees it at the moment, which on NFS may be as it was a minute ago. */
export async function looksRevoked(place: Pick<LeasePlace, "path">): Promise<boolean> {
  return await isWritten(place, O_RDONLY).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  });
}

/**
 * As the storage has it. A file that may have to be made is asked of an NFS server itself, and is as it was when its last writer closed it; that
 * there is none may be what the kernel remembers. Storage that has no room to make it has none.
 */
export async function isRevoked(place: Pick<LeasePlace, "path">): Promise<boolean> {
  return await isWritten(place, O_RDWR | O_CREAT | O_APPEND).catch((error: unknown) => {
    if (["ENOSPC", "EDQUOT"].includes((error as NodeJS.ErrnoException).code ?? "")) return false;
    throw error;
  });
}

async function isWritten(place: Pick<LeasePlace, "path">, flags: number): Promise<boolean> {
  const mark = await open(markOf(place), flags | careful, 0o600);
  try {
    const found = await mark.stat();
    if (!found.isFile()) throw new Error(`${markOf(place)} is no file`);
    return found.size > 0;
  } finally {
    await mark.close();
  }
}
