/**
 * Files in folders that a less privileged user writes to, or may have written to. They are opened without following
 * a link and without waiting for a FIFO's other end, and what was opened is checked before it is used: a regular
 * file, of the owner that is expected, under one name only. Whatever else is there is refused.
 */
import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { GodwitError } from "@godwit/contract/errors";

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/** Whoever runs this program: root, where it is an agent. */
const own = (): number => process.geteuid?.() ?? 0;

/**
 * Opens a regular file that belongs to `owner`.
 *
 * @param flags of open(2). A new file is asked for with O_CREAT and O_EXCL; an existing one is not cut off by
 *   O_TRUNC before it was checked, so do that afterwards
 * @throws FILE_UNTRUSTED when something else is there; and the system's error (ENOENT, EMFILE …)
 */
export async function openChecked(
  path: string,
  flags: number = O_RDONLY,
  { owner = own(), mode = 0o600 }: { owner?: number; mode?: number } = {},
): Promise<FileHandle> {
  const file = await open(path, flags | O_NOFOLLOW | O_NONBLOCK, mode).catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ELOOP") throw untrusted(path, "it is a symbolic link");
    if (code === "ENXIO") throw untrusted(path, "it is a socket or a FIFO");
    throw error;
  });
  try {
    const found = await file.stat();
    if (!found.isFile()) throw untrusted(path, "it is no regular file");
    if (found.uid !== owner) throw untrusted(path, `it belongs to user ${String(found.uid)}`);
    if (found.nlink !== 1) throw untrusted(path, "it has other names too");
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** A whole file; null when it is not there. @throws FILE_UNTRUSTED, also when it is larger than `maxBytes` */
export async function readCheckedOrNull(path: string, maxBytes = 1024 * 1024): Promise<string | null> {
  const found = await lastBytes(path, maxBytes);
  if (found === null) return null;
  if (found.cut) throw untrusted(path, `it is larger than ${String(maxBytes)} bytes`);
  return found.text;
}

/** The end of a file, which may begin within a character; null when it is not there. @throws FILE_UNTRUSTED */
export async function readTailOrNull(path: string, maxBytes = 64 * 1024): Promise<string | null> {
  return (await lastBytes(path, maxBytes))?.text ?? null;
}

async function lastBytes(path: string, maxBytes: number): Promise<{ text: string; cut: boolean } | null> {
  let file: FileHandle;
  try {
    file = await openChecked(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  try {
    const { size } = await file.stat();
    const buffer = Buffer.alloc(Math.min(size, maxBytes));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, size - buffer.length);
    return { text: buffer.toString("utf8", 0, bytesRead), cut: size > maxBytes };
  } finally {
    await file.close();
  }
}

function untrusted(path: string, reason: string): GodwitError {
  return GodwitError.of("FILE_UNTRUSTED", { path, reason });
}
