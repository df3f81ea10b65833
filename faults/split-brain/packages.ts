/** What the matrix needs on the machine. Nothing is installed here: what is missing is refused with the command. */
import { access } from "node:fs/promises";
import { GodwitError } from "@godwit/contract";

const library = "/usr/lib/x86_64-linux-gnu";
const files: Readonly<Record<string, string>> = {
  "/usr/bin/qemu-system-x86_64": "qemu-system-x86",
  [`${library}/qemu/block-nfs.so`]: "qemu-block-extra",
  [`${library}/qemu/block-iscsi.so`]: "qemu-block-extra",
  "/usr/bin/ganesha.nfsd": "nfs-ganesha",
  [`${library}/ganesha/libfsalvfs.so`]: "nfs-ganesha-vfs",
  "/usr/sbin/rpcbind": "rpcbind",
  "/usr/sbin/tgtd": "tgt",
  "/usr/sbin/sanlock": "sanlock",
};

/** Debian's packages that are not there. */
export async function missingPackages(): Promise<string[]> {
  const missing = new Set<string>();
  for (const [file, name] of Object.entries(files)) await access(file).catch(() => missing.add(name));
  return [...missing];
}

/** @throws USAGE with the command that installs what is missing; NOT_ROOT */
export async function requirePackages(): Promise<void> {
  if (process.getuid?.() !== 0)
    throw GodwitError.of("NOT_ROOT", { what: "The matrix makes a network namespace and" });
  const missing = await missingPackages();
  if (missing.length === 0) return;
  throw GodwitError.of("USAGE", {
    what: `The split-brain matrix needs programs that are not installed: ${missing.join(", ")}.`,
    hint: `apt-get install --no-install-recommends ${missing.join(" ")}`,
  });
}
