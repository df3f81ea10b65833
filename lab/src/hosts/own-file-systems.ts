/**
 * File systems of a lab's own, so that storage can stand still or be full: a shared datastore in a file that is
 * mounted through a loop device, a small disk under a host's state. They are mounted before anything of the
 * lab is started, so that every host sees them, and are gone with the lab.
 */
import { mkdir, readFile } from "node:fs/promises";
import { run } from "@godwit/system";

/** An ext4 of its own in `image`, mounted on `folder`; as large as the guests' disks need, and sparse. */
export async function mountShared(image: string, folder: string): Promise<void> {
  const words = { what: "making the lab's shared storage" };
  await mkdir(folder, { recursive: true });
  await run("truncate", ["-s", "2G", image], words);
  await run("mkfs.ext4", ["-q", "-F", "-m", "0", "-E", "lazy_itable_init=1", image], words);
  await run("mount", ["-o", "loop", image, folder], words);
}

/** A disk of so many MiB under a folder. */
export async function mountSmall(folder: string, mib: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  await run("mount", ["-t", "tmpfs", "-o", `size=${String(mib)}m`, "none", folder], {
    what: "making a host's small disk",
  });
}

/** Writes to the storage wait from now on, and so does whoever writes; reads of what is cached go on. */
export async function freeze(folder: string): Promise<void> {
  await run("fsfreeze", ["--freeze", folder], { what: "freezing the lab's storage" });
}

export async function thaw(folder: string): Promise<void> {
  await run("fsfreeze", ["--unfreeze", folder], { what: "thawing the lab's storage" });
}

/** Lets everything go that waits for storage under `folder`: a process that does cannot be ended. */
export async function thawUnder(folder: string): Promise<void> {
  for (const { path, type } of await mountsUnder(folder)) {
    // It says so itself when it was not frozen.
    if (type === "ext4") await run("fsfreeze", ["--unfreeze", path], { what: "thawing", okCodes: [0, 1] });
  }
}

/** Nothing may use them any more. */
export async function unmountUnder(folder: string): Promise<void> {
  for (const { path } of await mountsUnder(folder)) {
    await run("umount", [path], { what: `taking ${path} away` });
  }
}

/** The innermost first. */
async function mountsUnder(folder: string): Promise<{ path: string; type: string }[]> {
  const lines = (await readFile("/proc/self/mounts", "utf8")).split("\n");
  return lines
    .map((line) => line.split(" "))
    .map(([, path = "", type = ""]) => ({ path, type }))
    .filter(({ path }) => path.startsWith(`${folder}/`))
    .reverse();
}
