/**
 * A folder that an NFS server exports, mounted by the host's kernel. `hard`: a guest's write is never given up while the server is
 * away; QEMU waits, and the VM's lease decides. Nothing on it is a device or a program for this host.
 */
import { sourceText, type NfsSource } from "@godwit/contract";
import type { KindOfDatastore } from "./kind.ts";

export const nfs: KindOfDatastore<NfsSource> = {
  folder: (_, mountPoint) => mountPoint,
  mount: (source) => ({
    type: "nfs",
    what: sourceText(source),
    options: [
      ...["rw", "hard", "nosuid", "nodev", "noexec", "noatime", "_netdev"],
      ...(source.version === undefined ? [] : [`vers=${source.version}`]),
      // One attempt: the agent looks again by itself.
      "retry=0",
    ],
  }),
};
