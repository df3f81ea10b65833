/**
 * The credentials of migration streams, as QEMU gets them: copies in its run folder that only its own user can read,
 * there from just before until just after it has read them. The host's own belong to root.
 */
import { chmod, chown, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { spaceShort } from "@godwit/contract";
import type { UserIds } from "@godwit/system";
import { dhParameters } from "./dh-params.ts";

/** The names are QEMU's; it is a server for incoming streams and a client for outgoing ones. */
export const credentialNames = {
  client: ["ca-cert.pem", "client-cert.pem", "client-key.pem"],
  server: ["ca-cert.pem", "server-cert.pem", "server-key.pem"],
} as const;
/** Looked for by QEMU too. */
const dhFile = "dh-params.pem";
export type StreamEnd = keyof typeof credentialNames;

/** Calls `read` while the credentials of a host lie in `to`, readable by one user. @param from root's folder of them. @throws SPACE_SHORT */
export async function lendCredentials(
  { from, to, user, end }: { from: string; to: string; user: UserIds; end: StreamEnd },
  read: (folder: string) => Promise<void>,
): Promise<void> {
  try {
    await rm(to, { recursive: true, force: true }); // an earlier agent's that was killed here
    await mkdir(to, { mode: 0o700 });
    const lend = async (name: string, content: string | Buffer) => {
      const path = join(to, name);
      await writeFile(path, content, { flag: "wx", mode: 0o600 });
      await chown(path, user.uid, user.gid);
    };
    for (const name of credentialNames[end]) await lend(name, await readFile(join(from, name)));
    if (end === "server") await lend(dhFile, dhParameters);
    // Passed through, and neither listed nor written to.
    await chown(to, 0, user.gid);
    await chmod(to, 0o710);
    await read(to);
  } catch (error) {
    throw spaceShort(error, to) ?? error;
  } finally {
    await rm(to, { recursive: true, force: true });
  }
}
