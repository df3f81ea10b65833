/**
 * The credentials of migration streams, as QEMU gets them: copies in its run folder that only its own user can read,
 * there from just before until just after it has read them.
 */
import { chmod, chown, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { spaceShort } from "@godwit/contract";
import type { UserIds } from "@godwit/system";
import { dhParameters } from "./dh-params.ts";

/** Of one host, that belong together. */
export interface MigrationCredentials {
  caPem: string;
  certificatePem: string;
  keyPem: string;
}

/** QEMU is a server for incoming streams, and a client for outgoing ones. */
export type StreamEnd = "client" | "server";

/** Calls `read` while the credentials lie in `to`, readable by one user. @throws SPACE_SHORT */
export async function lendCredentials(
  {
    credentials,
    to,
    user,
    end,
  }: { credentials: MigrationCredentials; to: string; user: UserIds; end: StreamEnd },
  read: (folder: string) => Promise<void>,
): Promise<void> {
  try {
    await rm(to, { recursive: true, force: true }); // an earlier agent's that was killed here
    await mkdir(to, { mode: 0o700 });
    // The names are QEMU's.
    const files = {
      "ca-cert.pem": credentials.caPem,
      [`${end}-cert.pem`]: credentials.certificatePem,
      [`${end}-key.pem`]: credentials.keyPem,
      ...(end === "server" ? { "dh-params.pem": dhParameters } : {}),
    };
    for (const [name, content] of Object.entries(files)) {
      const path = join(to, name);
      await writeFile(path, content, { flag: "wx", mode: 0o600 });
      await chown(path, user.uid, user.gid);
    }
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
