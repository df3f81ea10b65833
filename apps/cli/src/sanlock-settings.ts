/**
 * What sanlock's configuration must say on a host: the host's name in the cluster, and that it runs as root, which makes the
 * files of leases and opens them to nobody else. By itself it runs as a user that has another number on each host, and
 * would be refused them. `host join` of an installation from packages sees to it.
 */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { readFileOrNull, run, writeFileAtomic } from "@godwit/system";
import { isPackaged } from "./installation.ts";
import { systemdLimitMs } from "./service.ts";

const file = "/etc/sanlock/sanlock.conf";

/** What else it needs; an administrator's own choice stays. */
const asRoot = [
  ["uname", "root"],
  ["gname", "root"],
] as const;

const settingOf = (text: string, key: string): string | undefined =>
  new RegExp(`^[ \\t]*${key}[ \\t]*=[ \\t]*(\\S+)`, "m").exec(text)?.[1];

/** sanlock's configuration with all that a host needs, or the other name that it has. */
export function withSettings(text: string, name: string): { text: string } | { otherName: string } {
  const found = settingOf(text, "our_host_name");
  if (found !== undefined && found !== name) return { otherName: found };
  const missing = [["our_host_name", name] as const, ...asRoot].filter(
    ([key]) => settingOf(text, key) === undefined,
  );
  if (missing.length === 0) return { text };
  const before = text === "" || text.endsWith("\n") ? text : `${text}\n`;
  return { text: `${before}${missing.map(([key, value]) => `${key} = ${value}\n`).join("")}` };
}

/**
 * Writes them and restarts sanlock, unless it keeps leases: those would end with it.
 * @returns what is left for the administrator to do; null: nothing
 */
export async function setUpSanlock(name: string): Promise<string | null> {
  if (!isPackaged || !existsSync("/run/systemd/system")) return null;
  const before = (await readFileOrNull(file)) ?? "";
  const after = withSettings(before, name);
  if ("otherName" in after)
    return `sanlock calls this host ${after.otherName}: write our_host_name = ${name} into ${file} and restart sanlock while no VM runs here`;
  const isNew = after.text !== before;
  if (isNew) {
    await mkdir("/etc/sanlock", { recursive: true });
    await writeFileAtomic(file, after.text, 0o644);
  }
  const words = { what: "starting sanlock (journalctl --unit sanlock says why)", timeoutMs: systemdLimitMs };
  await run("systemctl", ["enable", "--quiet", "sanlock"], words);
  if (isNew && (await keepsLeases())) return `${file} is new: restart sanlock while no VM runs here`;
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
