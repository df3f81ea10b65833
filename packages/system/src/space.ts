/** Room on a file system, asked for before something is begun that would stop half-way without it. */
import { statfs } from "node:fs/promises";
import { GodwitError } from "@godwit/contract/errors";

/** @throws SPACE_SHORT when fewer bytes are free where `path` lies; the system's error when that cannot be told */
export async function requireSpace(path: string, neededBytes: number): Promise<void> {
  const freeBytes = await freeSpace(path);
  if (freeBytes < neededBytes) throw GodwitError.of("SPACE_SHORT", { path, neededBytes, freeBytes });
}

/** Where least is free of these places; Infinity without any. @throws the system's error when that cannot be told */
export const leastSpace = async (paths: readonly string[]): Promise<number> =>
  Math.min(...(await Promise.all(paths.map(freeSpace))));

async function freeSpace(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}
