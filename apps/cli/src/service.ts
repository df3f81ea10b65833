/** The systemd services of an installation from packages: what `server init` and `host join` start when they are done. */
import { existsSync } from "node:fs";
import { GodwitError } from "@godwit/contract/errors";
import { isPackaged } from "./installation.ts";

/** Longer than systemd itself waits for a start, and says why it failed. */
export const systemdLimitMs = 330_000;

export type Service = "godwit-server" | "godwit-agent";

/** @throws USAGE when the service's package is not installed; nothing has been done yet then */
export function requireService(service: Service): void {
  if (!isPackaged) return;
  const folders = ["/usr/lib/systemd/system", "/lib/systemd/system"];
  if (folders.some((folder) => existsSync(`${folder}/${service}.service`))) return;
  throw GodwitError.of("USAGE", {
    what: `The package ${service} is not installed on this machine.`,
    hint: `apt install ./${service}_VERSION_all.deb`,
  });
}

/** Makes a folder the server's own. systemd would do it only if the folder itself belonged to another user. */
export async function giveToServer(folder: string): Promise<void> {
  if (!isPackaged) return;
  const { run } = await import("@godwit/system");
  await run("chown", ["--recursive", "godwit:godwit", folder], {
    what: `giving ${folder} to the user godwit`,
  });
}

/**
 * Starts or restarts a service, which is enabled since its installation.
 * @returns false in a checkout, or where no systemd runs: whoever called starts the program
 * @throws PROGRAM_FAILED
 */
export async function startService(service: Service): Promise<boolean> {
  if (!isPackaged || !existsSync("/run/systemd/system")) return false;
  const { run } = await import("@godwit/system");
  await run("systemctl", ["enable", "--quiet", service], {
    what: `enabling ${service}`,
    timeoutMs: systemdLimitMs,
  });
  await run("systemctl", ["restart", service], {
    what: `starting ${service} (journalctl --unit ${service} says why)`,
    timeoutMs: systemdLimitMs,
  });
  return true;
}
