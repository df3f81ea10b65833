/** A disk as a file that all hosts see, as on an NFS mount of the kernel: QEMU's image locks hold there. */
import { join } from "node:path";
import { writeDisk } from "../marks.ts";
import { drive, type Disk, type Place } from "./disk.ts";

export async function fileDisk({ folder }: Place): Promise<Disk> {
  const backing = join(folder, "disk.raw");
  await writeDisk(backing);
  return {
    kind: "file",
    backing,
    argumentsOn: () => drive(`file=${backing},file.locking=on`),
    async [Symbol.asyncDispose]() {
      // The folder goes with everything in it.
    },
  };
}
