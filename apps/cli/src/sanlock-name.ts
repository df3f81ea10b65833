/** sanlock calls a host by its name in the cluster: `host join` of an installation from packages sees to it. */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { readFileOrNull, run, writeFileAtomic } from "@godwit/system";
import { isPackaged } from "./installation.ts";
import { systemdLimitMs } from "./service.ts";

const file = "/etc/sanlock/sanlock.conf";

/** sanlock's configuration with the host's name, or the other name that it has. */
export function withHostName(text: string, name: string): { text: string } | { otherName: string } {
  const found = /^[ \t]*our_host_name[ \t]*=[ \t]*(\S+)/m.exec(text)?.[1];
  if (found === name) return { text };
  if (found !== undefined) return { otherName: found };
  const before = text === "" || text.endsWith("\n") ? text : `${text}\n`;
  return { text: `${before}our_host_name = ${name}\n` };
}

/**
 * Writes the name and restarts sanlock, unless it keeps leases: those would end with it.
 * @returns what is left for the administrator to do; null: nothing
 */
export async function nameHostForSanlock(name: string): Promise<string | null> {
  if (!isPackaged || !existsSync("/run/systemd/system")) return null;
  const before = (await readFileOrNull(file)) ?? "";
  const after = withHostName(before, name);
  if ("otherName" in after)
    return `sanlock calls this host ${after.otherName}: write our_host_name = ${name} into ${file} and restart sanlock while no VM runs here`;
  const isNew = after.text !== before;
  if (isNew) {
    await mkdir("/etc/sanlock", { recursive: true });
    await writeFileAtomic(file, after.text, 0o644);
  }
  const words = { what: "starting sanlock (journalctl --unit sanlock says why)", timeoutMs: systemdLimitMs };
  await run("systemctl", ["enable", "--quiet", "sanlock"], words);
  if (isNew && (await keepsLeases()))
    return `${file} has this host's name now: restart sanlock while no VM runs here`;
  await run("systemctl", [isNew ? "restart" : "start", "sanlock"], words);
  return null;
}

/** A sanlock that does not answer keeps none that anybody knows of; systemd then starts it, or says why not. */
async function keepsLeases(): Promise<boolean> {
  const { exitCode } = await run("systemctl", ["is-active", "--quiet", "sanlock"], {
    what: "looking for sanlock",
    okCodes: [0, 3, 4],
  });
  if (exitCode !== 0) return false;
  const { stdout } = await run("sanlock", ["client", "status"], { what: "asking sanlock for its leases" });
  return /^[sr] /m.test(stdout);
}
