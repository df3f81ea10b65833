/** Secrets for a program that runs as another user: files that only it can read, there while it reads them. */
import { chmod, chown, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { UserIds } from "./users.ts";

/** In memory, where the system has it so. */
const parent = "/run";

/** Calls `read` with the path of a file that has the secret; it is gone when that has ended. */
export async function lendSecret<Value>(
  secret: string,
  user: UserIds,
  read: (path: string) => Promise<Value>,
): Promise<Value> {
  const folder = await mkdtemp(join(parent, "godwit-secret-"));
  try {
    const path = join(folder, "secret");
    await writeFile(path, secret, { flag: "wx", mode: 0o600 });
    await chown(path, user.uid, user.gid);
    // Passed through, and neither listed nor written to.
    await chown(folder, 0, user.gid);
    await chmod(folder, 0o710);
    return await read(path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
