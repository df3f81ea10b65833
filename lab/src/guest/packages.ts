/** Files from the distribution's packages, without installing them: downloaded by apt, unpacked in a folder. */
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { GodwitError } from "@godwit/contract";
import { run } from "@godwit/system";

/** Downloads packages and unpacks them. @throws PROGRAM_FAILED with apt's own words: the network or the package lists */
export async function unpackPackages(names: readonly string[], into: string): Promise<void> {
  await mkdir(into, { recursive: true });
  const downloads = await mkdtemp(`${into}.debs-`);
  try {
    // apt drops its rights for downloads where it can; this folder is root's alone.
    await run("apt-get", ["-o", "APT::Sandbox::User=root", "download", ...names], {
      what: `downloading ${String(names.length)} packages of the lab's guest`,
      cwd: downloads,
      timeoutMs: 600_000,
    });
    for (const name of (await readdir(downloads)).filter((file) => file.endsWith(".deb"))) {
      await run("dpkg-deb", ["-x", join(downloads, name), into], {
        what: `unpacking ${name}`,
        timeoutMs: 120_000,
      });
    }
  } finally {
    await rm(downloads, { recursive: true, force: true });
  }
}

/** The real package behind a metapackage like `linux-image-cloud-amd64`. */
export async function packageBehind(metapackage: string, pattern: RegExp): Promise<string> {
  const { stdout } = await run("apt-cache", ["depends", "--important", metapackage], {
    what: `looking for the package behind ${metapackage}`,
  });
  const found = [...stdout.matchAll(/Depends: (\S+)/g)]
    .map(([, name]) => name ?? "")
    .find((name) => pattern.test(name));
  if (found !== undefined) return found;
  throw GodwitError.of("PROGRAM_FAILED", {
    program: "apt-cache",
    what: `looking for the package behind ${metapackage}`,
    output: "none found; run apt-get update",
  });
}

/** Packages with the libraries that they need, and what those need: nothing but programs and `lib…`. */
export async function withLibraries(names: readonly string[]): Promise<string[]> {
  const { stdout } = await run(
    "apt-cache",
    [
      ...["depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks"],
      ...["--no-replaces", "--no-enhances", ...names],
    ],
    { what: "resolving the packages of the lab's guest" },
  );
  const all = stdout.split("\n").filter((line) => /^lib[a-z0-9.+-]*$/.test(line));
  return [...new Set([...names, ...all])];
}
