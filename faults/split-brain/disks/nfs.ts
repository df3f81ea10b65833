/** A disk on NFS through QEMU's own client (libnfs), which locks nothing. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { startNfsServer } from "@godwit/lab";
import { writeDisk } from "../marks.ts";
import { drive, type Disk, type Place } from "./disk.ts";

/** @throws PROGRAM_FAILED with a server's last words */
export async function nfsDisk({ folder, namespace }: Place): Promise<Disk> {
  const exported = join(folder, "export");
  await mkdir(exported);
  const backing = join(exported, "disk.raw");
  await writeDisk(backing);
  const server = await startNfsServer({ namespace, folder: join(folder, "nfs"), exported });
  return {
    kind: "nfs",
    backing,
    argumentsOn: () => drive("file=nfs://127.0.0.1/export/disk.raw"),
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
    },
  };
}
