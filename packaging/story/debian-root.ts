/**
 * Bare Debian roots for the story's machines, made by debootstrap once and kept in /var/cache/godwit/roots. A root has
 * Debian's packages that Godwit's depend on as files in apt's cache, not installed: the installation needs no network.
 */
import { createHash } from "node:crypto";
import { access, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "@godwit/system";

export type Suite = "bookworm" | "trixie";

export const base = [
  "systemd",
  "systemd-sysv",
  "dbus",
  "udev",
  "ca-certificates",
  "kmod",
  "procps",
  "iproute2",
];
/** Of Debian: what Godwit's packages depend on, and what a story calls. */
export const needed = [
  "qemu-system-x86",
  "qemu-utils",
  "ovmf",
  "xorriso",
  "nftables",
  "sanlock",
  "postgresql",
  "curl",
];
const rootsFolder = "/var/cache/godwit/roots";
const limitMs = 1_200_000;

/** @returns the root's folder, which nothing may be written to. @throws PROGRAM_MISSING, PROGRAM_FAILED */
export async function debianRoot(suite: Suite, say: (text: string) => void): Promise<string> {
  const recipe = createHash("sha256")
    .update(JSON.stringify([suite, base, needed]))
    .digest("hex")
    .slice(0, 12);
  const folder = join(rootsFolder, `${suite}-${recipe}`);
  if (
    await access(folder)
      .then(() => true)
      .catch(() => false)
  )
    return folder;
  say(`making a bare Debian ${suite} (once; minutes)`);
  const making = `${folder}.new`;
  await rm(making, { recursive: true, force: true });
  await mkdir(rootsFolder, { recursive: true });
  await run("debootstrap", ["--variant=minbase", `--include=${base.join(",")}`, suite, making], {
    what: `making a bare Debian ${suite}`,
    timeoutMs: limitMs,
  });
  await run("chroot", [making, "apt-get", "update", "-q"], {
    what: "reading the package lists",
    timeoutMs: limitMs,
  });
  await run(
    "chroot",
    [making, "apt-get", "install", "-q", "-y", "--download-only", "--no-install-recommends", ...needed],
    { what: "fetching Debian's packages", timeoutMs: limitMs, env: { DEBIAN_FRONTEND: "noninteractive" } },
  );
  // Each machine makes its own.
  await writeFile(join(making, "etc/machine-id"), "");
  await rm(join(making, "etc/resolv.conf"), { force: true });
  await rename(making, folder);
  return folder;
}
