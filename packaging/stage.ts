/**
 * Lays out what is packaged: the sources without their types, the npm packages of a production
 * installation, Node, man pages, completions, and the files of `packaging/debian`. The lab, tests, benchmarks and fault
 * campaigns stay in the checkout.
 */
import { cp, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { run } from "@godwit/system";
import { helpOfAllCommands } from "../apps/cli/src/app.ts";
import { completionScripts } from "../apps/cli/src/completion-scripts.ts";
import { checkoutOnly } from "../apps/cli/src/installation.ts";
import { bundledOf, isNeeded, type Bundled, type Lock } from "./bundled.ts";
import { copyright, licensesText } from "./copyright.ts";
import { javascriptOf, manifestOf, scriptName } from "./javascript.ts";
import { manPages } from "./man-pages.ts";
import { sbomOf } from "./sbom.ts";

const checkout = join(import.meta.dirname, "..");

/** Of the lab the CLI knows the names: with GODWIT_LAB it calls a lab that a checkout has made. */
const labFiles = ["package.json", "src/names.ts", "src/lab-file.ts"];

export interface Staging {
  /** Of the sources, with node_modules. */
  root: string;
  /** An empty folder's path, for dpkg-buildpackage. */
  source: string;
  date: Date;
  version: string;
}

export async function stage(staging: Staging): Promise<void> {
  const { root, source } = staging;
  const tree = join(source, "tree");
  const bundled = await readBundled(root);
  await cp(join(root, "packaging/debian"), join(source, "debian"), { recursive: true });
  await cp(join(root, "packaging/files"), join(source, "files"), { recursive: true });
  await cp(join(root, "packaging/apparmor"), join(source, "apparmor"), { recursive: true });
  for (const name of await readdir(join(root, "packaging/systemd"))) {
    await cp(join(root, "packaging/systemd", name), join(source, "debian", unitFile(name)));
  }
  await copySources(staging, tree);
  for (const { folder } of bundled) await copyPackage(root, tree, folder);
  await cp(process.execPath, join(tree, "bin/node"));
  await mkdir(join(source, "bin"), { recursive: true });
  await cp(join(root, "packaging/files/godwit"), join(source, "bin/godwit"));
  await writeTexts(staging, bundled);
  for (const name of ["CHANGELOG.md", "README.md", "SECURITY.md", "docs"]) {
    await cp(join(root, name), join(source, name), { recursive: true });
  }
}

/** As debhelper looks for it: of the package of the same name, or a further one of the server's. */
const unitFile = (name: string): string =>
  name.startsWith("godwit-server-") ? `godwit-server.${name}` : name;

async function readBundled(root: string): Promise<Bundled[]> {
  return bundledOf(JSON.parse(await readFile(join(root, "package-lock.json"), "utf8")) as Lock);
}

/** Workspaces are linked as npm links them. */
async function copySources({ root, version }: Staging, tree: string): Promise<void> {
  const copy = async (path: string) => {
    const from = join(root, path);
    const names = (await stat(from)).isDirectory() ? await readdir(from, { recursive: true }) : [""];
    for (const name of names) await copySource(join(from, name), join(tree, path, name));
  };
  const link = async (path: string) => {
    const { name } = JSON.parse(await readFile(join(root, path, "package.json"), "utf8")) as { name: string };
    const at = join(tree, "node_modules", name);
    await mkdir(dirname(at), { recursive: true });
    await symlink(join("../..", path), at);
  };
  for (const group of ["apps", "packages"]) {
    for (const name of await readdir(join(root, group))) {
      for (const part of ["package.json", "src"]) await copy(join(group, name, part));
      await link(join(group, name));
    }
  }
  for (const name of labFiles) await copy(join("lab", name));
  await link("lab");
  // The program's own word for its version.
  const system = join(tree, "packages/system/package.json");
  const told = JSON.parse(await readFile(system, "utf8")) as object;
  await writeFile(system, `${JSON.stringify({ ...told, version }, null, 2)}\n`);
  // Says to the program how it was installed.
  await writeFile(join(tree, "packaged"), `${version}\n`);
  await writeFile(
    join(tree, "package.json"),
    `${JSON.stringify({ name: "godwit", version, type: "module" })}\n`,
  );
}

async function copySource(from: string, to: string): Promise<void> {
  if ((await stat(from)).isDirectory()) return;
  await mkdir(dirname(to), { recursive: true });
  const read = async () => await readFile(from, "utf8");
  if (/\.[tj]s$/.test(from)) await writeFile(scriptName(to), javascriptOf(await read()));
  else if (from.endsWith("/package.json")) await writeFile(to, manifestOf(await read()));
  else await cp(from, to);
}

async function copyPackage(root: string, tree: string, folder: string): Promise<void> {
  await cp(join(root, folder), join(tree, folder), {
    recursive: true,
    // Packages within are of the list themselves.
    filter: (path) => path === join(root, folder) || (isNeeded(path) && !path.endsWith("/node_modules")),
  });
}

async function writeTexts(
  { root, source, date, version }: Staging,
  bundled: readonly Bundled[],
): Promise<void> {
  const nodeVersion = process.versions.node;
  const node = { version: nodeVersion, folder: join(dirname(process.execPath), "..") };
  await writeFile(join(source, "debian/copyright"), copyright);
  await write(join(source, "doc/third-party-licenses"), await licensesText(root, bundled, node));
  for (const [shell, script] of Object.entries(completionScripts)) {
    const name = { bash: "godwit", zsh: "_godwit", fish: "godwit.fish" }[shell] ?? shell;
    await write(join(source, "completions", shell, name), script);
  }
  const help = await helpOfAllCommands();
  const shipped = help.filter(([route]) => !checkoutOnly.has(route.split(" ")[1] ?? ""));
  for (const { file, text } of manPages(shipped, version, date.toISOString().slice(0, 10))) {
    await write(join(source, "man", file), text);
  }
  // An earlier commit's node_modules are this checkout's, and hold more than its lock file says.
  const known = root === checkout ? [] : ["--package-lock-only"];
  const { stdout } = await run("npm", ["sbom", "--omit=dev", "--sbom-format=cyclonedx", ...known], {
    what: "listing what is bundled",
    cwd: root,
  });
  await write(join(source, "doc/sbom.cdx.json"), sbomOf(stdout, version, nodeVersion, date));
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}
