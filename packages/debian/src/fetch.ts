/**
 * Files from the distribution's packages, without installing them: downloaded by apt, unpacked in a folder.
 * Needs no root. Where apt's lists are missing or too old and the caller is root, `apt-get update` runs once.
 */
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { GodwitError } from "@godwit/contract";
import { run } from "@godwit/system";

/** Downloads packages and unpacks them. @throws PACKAGES_UNAVAILABLE with apt's own words, PROGRAM_FAILED */
export async function unpackPackages(names: readonly string[], into: string): Promise<void> {
  await mkdir(into, { recursive: true });
  const downloads = await mkdtemp(`${into}.debs-`);
  try {
    await withFreshLists(names, () => downloadPackages(names, downloads));
    await unpackDownloads(downloads, into);
  } finally {
    await rm(downloads, { recursive: true, force: true });
  }
}

/** Downloads packages into a folder. @param options of apt, before its command */
export async function downloadPackages(
  names: readonly string[],
  folder: string,
  options: readonly string[] = [],
): Promise<void> {
  // apt drops its rights for downloads where it can; this folder is the caller's alone.
  await run("apt-get", [...options, "-o", "APT::Sandbox::User=root", "-q", "download", ...names], {
    what: `downloading ${String(names.length)} packages`,
    cwd: folder,
    timeoutMs: 600_000,
  });
}

/** Unpacks every package file of a folder. */
export async function unpackDownloads(folder: string, into: string): Promise<void> {
  for (const name of (await readdir(folder)).filter((file) => file.endsWith(".deb"))) {
    await run("dpkg-deb", ["-x", join(folder, name), into], {
      what: `unpacking ${name}`,
      timeoutMs: 120_000,
    });
  }
}

/** The real package behind a metapackage like `linux-image-cloud-amd64`. @throws PACKAGES_UNAVAILABLE */
export async function packageBehind(metapackage: string, pattern: RegExp): Promise<string> {
  return withFreshLists([metapackage], async () => {
    const { stdout } = await run("apt-cache", ["depends", "--important", metapackage], {
      what: `looking for the package behind ${metapackage}`,
    });
    const found = [...stdout.matchAll(/Depends: (\S+)/g)]
      .map(([, name]) => name ?? "")
      .find((name) => pattern.test(name));
    if (found !== undefined) return found;
    throw unavailable([metapackage], "it depends on no package of the expected name.");
  });
}

/** Packages with the libraries that they need, and what those need: nothing but programs and libraries. */
export async function withLibraries(names: readonly string[]): Promise<string[]> {
  const { stdout } = await run(
    "apt-cache",
    [
      ...["depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks"],
      ...["--no-replaces", "--no-enhances", ...names],
    ],
    { what: "resolving the libraries of packages" },
  );
  const all = stdout.split("\n").filter((line) => /^(lib[a-z0-9.+-]*|zlib1g)$/.test(line));
  return [...new Set([...names, ...all])];
}

/** What apt would install of each, by its lists: `name=version`, in the order given. @throws PACKAGES_UNAVAILABLE */
export async function candidateVersions(names: readonly string[]): Promise<string[]> {
  return withFreshLists(names, async () => {
    const { stdout } = await run("apt-cache", ["policy", ...names], { what: "reading package versions" });
    const versions = new Map(
      [...stdout.matchAll(/^(\S+):\n.*\n\s+Candidate: (\S+)$/gm)].map(([, name, version]) => [name, version]),
    );
    const missing = names.filter((name) => (versions.get(name) ?? "(none)") === "(none)");
    if (missing.length > 0) throw unavailable(missing, "apt's lists do not have them.");
    return names.map((name) => `${name}=${versions.get(name) ?? ""}`);
  });
}

/** Tries, and tries once more after `apt-get update` where the caller may run it. */
async function withFreshLists<T>(names: readonly string[], action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (process.getuid?.() !== 0 || GodwitError.is(error, "PROGRAM_MISSING")) throw explained(names, error);
  }
  try {
    await run("apt-get", ["update", "-q"], { what: "reading the package lists", timeoutMs: 600_000 });
    return await action();
  } catch (error) {
    throw explained(names, error);
  }
}

function explained(names: readonly string[], error: unknown): unknown {
  if (!GodwitError.is(error, "PROGRAM_FAILED")) return error;
  return unavailable(names, error.message, error);
}

export const unavailable = (names: readonly string[], reason: string, cause?: unknown) =>
  GodwitError.of("PACKAGES_UNAVAILABLE", { names: [...names], reason }, { cause });
