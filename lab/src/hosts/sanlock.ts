/**
 * A lab host's sanlock daemon, as the distribution's service would start it, but without a watchdog and with
 * short times. It ends with the lab.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { runOnHost, type HostView } from "./spawn-role.ts";

/** A host fails after 16 s without a renewal, which a busy machine's disk may need, and is dead for others after 76 s. */
export const ioTimeoutSeconds = 2;

/** @throws PROGRAM_MISSING, PROGRAM_FAILED */
export async function startSanlock(host: Omit<HostView, "argv">): Promise<void> {
  await mkdir(join(host.folder, "run/sanlock"), { recursive: true });
  const options = ["-w", "0", "-h", "0", "-l", "0", "-U", "root", "-G", "root", "-S", "-1", "-L", "4"];
  // It puts itself into the background when it is ready. It need not lock its memory, which a container may forbid.
  await runOnHost(
    { ...host, argv: ["env", "SANLOCK_PRIVILEGED=0", "sanlock", "daemon", "-e", host.hostname, ...options] },
    `starting sanlock on host ${host.hostname}`,
  );
}
