/**
 * An NFS server for one folder, in a namespace of its own: nfs-ganesha with rpcbind beside it. QEMU 7.2's own client
 * can neither ask for version 4 nor name a port, so it looks the ports up on 111.
 */
import { access, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run, sleep, UndoStack } from "@godwit/system";
import { Program } from "./program.ts";

export interface NfsServerOptions {
  /** Nothing else in it may use the ports 111 and 2049. */
  namespace: string;
  /** Of its configuration. */
  folder: string;
  /** What it exports, as `/export`. */
  exported: string;
}

const privateRun = fileURLToPath(new URL("private-run.sh", import.meta.url));
const readyLimitMs = 120_000;

/** It listens on the namespace's loopback. @throws PROGRAM_FAILED with a server's last words */
export async function startNfsServer(options: NfsServerOptions): Promise<AsyncDisposable> {
  const { namespace, folder, exported } = options;
  await mkdir(join(folder, "recovery"), { recursive: true });
  const file = join(folder, "ganesha.conf");
  await writeFile(file, configuration(folder, exported));
  // Ganesha looks its own addresses up and finds none where there are only those of loopback (getaddrinfo's
  // AI_ADDRCONFIG).
  await run("ip", ["-n", namespace, "address", "add", "10.94.0.1/24", "dev", "lo"], {
    what: "giving the NFS server an address",
  });
  await using undo = new UndoStack(() => undefined);
  // Not "-h 127.0.0.1": Debian 12's rpcbind 1.2.6 ends with a double free then.
  const rpcbind = await Program.start({
    what: "rpcbind",
    argv: ["ip", "netns", "exec", namespace, "sh", privateRun, "rpcbind", "-f"],
  });
  undo.push("end rpcbind", () => rpcbind.end());
  await socketOf(rpcbind);
  const view = `/proc/${String(rpcbind.pid)}/ns`;
  const ganesha = await Program.start({
    what: "the NFS server",
    argv: [
      ...["nsenter", `--net=${view}/net`, `--mount=${view}/mnt`, "ganesha.nfsd", "-F", "-N", "EVENT"],
      ...["-L", "STDOUT", "-f", file, "-p", join(folder, "ganesha.pid")],
    ],
  });
  undo.push("end the NFS server", () => ganesha.end());
  await ganesha.says(/NFS SERVER INITIALIZED/);
  undo.commit();
  return {
    async [Symbol.asyncDispose]() {
      await ganesha.end();
      await rpcbind.end();
    },
  };
}

/** rpcbind says nothing when it is ready: its socket, in its own view of /run, is the sign. */
async function socketOf(rpcbind: Program): Promise<void> {
  const socket = `/proc/${String(rpcbind.pid)}/root/run/rpcbind.sock`;
  const until = performance.now() + readyLimitMs;
  for (;;) {
    const found = await access(socket).then(
      () => true,
      () => false,
    );
    if (found) return;
    if (rpcbind.isOver || performance.now() > until) throw rpcbind.failed("it was not ready in time");
    await Promise.race([rpcbind.ended, sleep(20)]);
  }
}

const configuration = (folder: string, exported: string): string => `NFS_CORE_PARAM {
  Protocols = 3; NFS_Port = 2049; MNT_Port = 20048; Mount_Path_Pseudo = true;
  Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false;
  Plugins_Dir = "/usr/lib/x86_64-linux-gnu/ganesha";
}
NFSv4 { Graceless = true; RecoveryBackend = fs; RecoveryRoot = "${folder}/recovery"; }
NFS_KRB5 { Active_krb5 = false; }
EXPORT {
  Export_Id = 1; Path = "${exported}"; Pseudo = /export; Access_Type = RW; Squash = No_Root_Squash;
  SecType = sys; Protocols = 3; Transports = TCP; FSAL { Name = VFS; }
}
`;
