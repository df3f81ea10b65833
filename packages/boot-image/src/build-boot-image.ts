/**
 * Builds the image: Debian's kernel and Perl, the program that reports, and its rules. The result is
 * written atomically: under its name only when it is complete. Needs no root and installs nothing.
 */
import { randomUUID } from "node:crypto";
import { access, constants, mkdtemp, open, readFile, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { GodwitError } from "@godwit/contract";
import { requireSpace, syncFolder } from "@godwit/system";
import { packRoot } from "./cpio.ts";
import { imageParts } from "./image-parts.ts";
import { writeMedium } from "./media.ts";
import { rulesText } from "./rules.ts";

export interface BootImage {
  /** Absolute. */
  path: string;
  bytes: number;
  /** As Debian names it: `6.1.0-56-amd64`. */
  kernelVersion: string;
}

const neededBytes = 64 * 1024 * 1024;
const guestFiles = { init: 0o755, "Report.pm": 0o644 } as const;

/**
 * Writes the image to `path`; a regular file there is replaced.
 * @param onProgress called with a line of words at each step that may take a while
 * @throws USAGE when the path is no place for a file or the machine is not x86-64, SPACE_SHORT,
 * PACKAGES_UNAVAILABLE, PROGRAM_FAILED, PROGRAM_MISSING
 */
export async function buildBootImage(
  path: string,
  { onProgress = () => undefined }: { onProgress?: (text: string) => void } = {},
): Promise<BootImage> {
  const target = resolve(path);
  requireX86();
  await requireWritableTarget(target);
  const parts = await imageParts(onProgress);
  const work = await mkdtemp(join(tmpdir(), "godwit-boot-image-"));
  const beside = join(dirname(target), `.${basename(target)}.${randomUUID().slice(0, 8)}.tmp`);
  try {
    onProgress("packing the report's system");
    const root = await packRoot(parts.root, [
      ...(await Promise.all(Object.entries(guestFiles).map(([name, mode]) => guestFile(name, mode)))),
      { path: "rules", mode: 0o644, content: Buffer.from(rulesText()) },
    ]);
    onProgress("writing the image");
    await writeMedium(parts, await promisify(gzip)(root, { level: 9 }), work, beside);
    await syncFile(beside);
    const { size } = await stat(beside);
    await rename(beside, target);
    await syncFolder(dirname(target));
    return { path: target, bytes: size, kernelVersion: parts.kernelVersion };
  } finally {
    await rm(beside, { force: true });
    await rm(work, { recursive: true, force: true });
  }
}

const guestFile = async (name: string, mode: number) => ({
  path: name,
  mode,
  content: await readFile(new URL(`guest/${name}`, import.meta.url)),
});

function requireX86(): void {
  if (process.arch === "x64") return;
  throw GodwitError.of("USAGE", {
    what: `The boot image is made of packages for x86-64; this machine is ${process.arch}.`,
    hint: "Run this on an x86-64 machine with Debian; the image is for servers of that kind too.",
  });
}

/** A new file, or one that may be replaced, in a folder with room. */
async function requireWritableTarget(target: string): Promise<void> {
  const folder = dirname(target);
  const there = await stat(target).catch(() => null);
  if (there !== null && !there.isFile()) {
    throw GodwitError.of("USAGE", {
      what: `${target} is ${there.isDirectory() ? "a folder" : "a device"}, not a file.`,
      hint: there.isDirectory()
        ? `Name a file: ${join(target, "cpu-report.iso")}.`
        : `Write the image to a file and copy it to the stick yourself: dd if=FILE of=${target} bs=4M conv=fsync.`,
    });
  }
  await access(folder, constants.W_OK | constants.X_OK).catch((error: unknown) => {
    throw GodwitError.of(
      "USAGE",
      {
        what: `No file can be made in ${folder}: ${error instanceof Error ? error.message : String(error)}.`,
        hint: "Name a file in a folder that exists and that you may write to.",
      },
      { cause: error },
    );
  });
  for (const place of [folder, tmpdir()]) await requireSpace(place, neededBytes);
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
