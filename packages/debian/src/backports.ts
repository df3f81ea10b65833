/**
 * Packages of the release's backports, without a change of the machine's own sources: apt reads a sources file and
 * keeps lists in a folder that is removed again. The mirror is the machine's own, and deb.debian.org where that
 * has no backports. What is downloaded is verified with Debian's archive keyring.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GodwitError } from "@godwit/contract";
import { run } from "@godwit/system";
import { downloadPackages, unavailable, unpackDownloads } from "./fetch.ts";

const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
const defaultMirror = "http://deb.debian.org/debian";

/** The code name of this machine's Debian, like `bookworm`; null on anything else. */
export async function debianCodeName(): Promise<string | null> {
  const text = await readFile("/etc/os-release", "utf8").catch(() => "");
  const value = (key: string) => new RegExp(`^${key}="?([^"\n]*)"?$`, "m").exec(text)?.[1] ?? "";
  return value("ID") === "debian" && value("VERSION_CODENAME") !== "" ? value("VERSION_CODENAME") : null;
}

/**
 * Downloads packages from the backports of this Debian and unpacks them. Needs no root.
 * @throws PACKAGES_UNAVAILABLE with apt's own words, PROGRAM_FAILED
 */
export async function unpackBackports(names: readonly string[], into: string): Promise<void> {
  const codeName = await debianCodeName();
  if (codeName === null) throw unavailable(names, "this machine is not a Debian.");
  const mirrors = new Set([...(await mirrorsOf(codeName)), defaultMirror]);
  let lastError: unknown;
  for (const mirror of mirrors) {
    try {
      await unpackFrom(mirror, `${codeName}-backports`, names, into);
      return;
    } catch (error) {
      if (!GodwitError.is(error, "PROGRAM_FAILED")) throw error;
      lastError = error;
    }
  }
  throw unavailable(names, lastError instanceof Error ? lastError.message : "", lastError);
}

async function unpackFrom(
  mirror: string,
  suite: string,
  names: readonly string[],
  into: string,
): Promise<void> {
  await mkdir(into, { recursive: true });
  const work = await mkdtemp(`${into}.apt-`);
  try {
    const options = await ownApt(work, sourcesText(mirror, suite));
    await run("apt-get", [...options, "-q", "update", "--error-on=any"], {
      what: `reading the package lists of ${suite}`,
      timeoutMs: 120_000,
    });
    const downloads = join(work, "downloads");
    await mkdir(downloads);
    await downloadPackages(
      names.map((name) => `${name}/${suite}`),
      downloads,
      options,
    );
    await unpackDownloads(downloads, into);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The options of an apt that has one source and keeps everything in `folder`; proxies stay the machine's. */
async function ownApt(folder: string, sources: string): Promise<string[]> {
  await mkdir(join(folder, "lists/partial"), { recursive: true });
  await mkdir(join(folder, "cache/archives/partial"), { recursive: true });
  const file = join(folder, "backports.sources");
  await writeFile(file, sources);
  const settings = {
    "Dir::Etc::SourceList": file,
    "Dir::Etc::SourceParts": "/dev/null",
    "Dir::State::Lists": join(folder, "lists"),
    "Dir::Cache": join(folder, "cache"),
    "APT::Get::List-Cleanup": "false",
    "Acquire::Languages": "none",
    "Acquire::Retries": "1",
    "Acquire::http::Timeout": "20",
    "Acquire::https::Timeout": "20",
  };
  return Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
}

const sourcesText = (mirror: string, suite: string): string =>
  `Types: deb\nURIs: ${mirror}\nSuites: ${suite}\nComponents: main\nSigned-By: ${keyring}\n`;

/** From where this machine takes its Debian: what apt itself makes of its sources. */
async function mirrorsOf(codeName: string): Promise<string[]> {
  const { stdout } = await run(
    "apt-get",
    [
      ...["indextargets", "--format", "$(REPO_URI)"],
      ...["Created-By: Packages", "Origin: Debian", `Codename: ${codeName}`],
    ],
    { what: "looking for the machine's Debian mirror" },
  );
  const found = stdout.split("\n").filter((uri) => uri !== "" && !uri.startsWith("cdrom:"));
  return [...new Set(found.map((uri) => uri.replace(/\/$/, "")))];
}
