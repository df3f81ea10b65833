/** The disk of a bare server: a root as a raw image with holes that nothing writes to; every server has an overlay over it. */
import { access, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "@godwit/system";
import { cacheFolder } from "./names.ts";
import type { Root } from "./root.ts";

const diskGib = 8;
const limitMs = 600_000;

/** Made once for each root and kept. @throws PROGRAM_FAILED, PROGRAM_MISSING */
export async function baseImage(root: Root, say: (text: string) => void): Promise<string> {
  const image = join(cacheFolder, "bases", `${root.key}.raw`);
  if (
    await access(image).then(
      () => true,
      () => false,
    )
  )
    return image;
  say("making a disk of it (once)");
  await mkdir(join(cacheFolder, "bases"), { recursive: true });
  const raw = `${image}.new`;
  const words = { what: "making a server's disk", timeoutMs: limitMs };
  try {
    // Of one that was killed.
    await rm(raw, { force: true });
    await run("truncate", ["-s", `${String(diskGib)}G`, raw], words);
    // Checksums of metadata cost an emulated processor more than they are worth here.
    const features = ["-O", "^metadata_csum", "-E", "lazy_itable_init=1,nodiscard"];
    await run("mke2fs", ["-q", "-t", "ext4", "-d", root.folder, ...features, raw], words);
    await rename(raw, image);
  } finally {
    await rm(raw, { force: true });
  }
  return image;
}

/** A disk that begins as `backing`, a base or a saved disk, is. @throws PROGRAM_FAILED */
export async function overlay(backing: string, target: string): Promise<void> {
  const format = ["-q", "-f", "qcow2", "-F", backing.endsWith(".raw") ? "raw" : "qcow2", "-b", backing];
  await run("qemu-img", ["create", ...format, target], { what: "making a server's disk" });
}
