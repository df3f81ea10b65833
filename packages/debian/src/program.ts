/** Programs of unpacked packages: run from there, or copied with their libraries into the root of a guest. */
import { chmod, copyFile, mkdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { run, type RunOptions, type RunResult } from "@godwit/system";

const libraryFolders = ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib64", "usr/lib64"];
const loaders = libraryFolders.map((folder) => `${folder}/ld-linux-x86-64.so.2`);

/** Runs a program of the packages unpacked in `folder`, with their libraries. @throws PROGRAM_FAILED */
export async function runUnpacked(
  folder: string,
  path: string,
  args: readonly string[],
  options: RunOptions,
): Promise<RunResult> {
  const loader = await firstOf(folder, loaders);
  return run(loader, ["--library-path", libraryPath(folder), join(folder, path), ...args], options);
}

/** Copies a program of the packages unpacked in `folder`, its loader and its libraries to the same places of `root`. */
export async function copyProgram(folder: string, path: string, root: string): Promise<void> {
  const loader = await firstOf(folder, loaders);
  const { stdout } = await run(
    loader,
    ["--library-path", libraryPath(folder), "--list", join(folder, path)],
    { what: `finding the libraries of ${path}` },
  );
  for (const place of [path, "lib64/x", "lib/x86_64-linux-gnu/x"])
    await mkdir(dirname(join(root, place)), { recursive: true });
  await copyFile(join(folder, path), join(root, path));
  await chmod(join(root, path), 0o755);
  await copyFile(loader, join(root, "lib64/ld-linux-x86-64.so.2"));
  for (const [, name, from] of stdout.matchAll(/^\s+([^\s/]+\.so\S*) => (\S+)/gm)) {
    await copyFile(from ?? "", join(root, "lib/x86_64-linux-gnu", name ?? ""));
  }
}

/** The first of the paths that is there: distributions of different age keep the same file in different folders. */
export async function firstOf(folder: string, paths: readonly string[]): Promise<string> {
  for (const path of paths) {
    const found = await stat(join(folder, path)).catch(() => null);
    if (found !== null) return join(folder, path);
  }
  throw new Error(`none of ${paths.join(", ")} is in the unpacked packages`);
}

const libraryPath = (folder: string): string => libraryFolders.map((one) => join(folder, one)).join(":");
