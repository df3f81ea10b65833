/**
 * `npm run package [-- --out FOLDER]`: Debian packages of this checkout, in results/packages. Everything comes from
 * the checkout and its node_modules; nothing is downloaded. The same commit gives the same bytes.
 * `--commit COMMIT --as VERSION`: of an earlier commit, as an earlier version, to try upgrades from; with the man pages and
 * completion of this checkout.
 */
import { cp, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GodwitError } from "@godwit/contract";
import { run, version } from "@godwit/system";
import { readOptions } from "../scripts/options.ts";
import { layOutCommit } from "./earlier-sources.ts";
import { stage } from "./stage.ts";

const root = join(import.meta.dirname, "..");
const values = readOptions("usage: npm run package -- [--out FOLDER] [--commit COMMIT] [--as VERSION]", {
  out: { type: "string", default: join(root, "results/packages") },
  commit: { type: "string" },
  as: { type: "string", default: version },
});

const folder = await mkdtemp(join(tmpdir(), "godwit-package-"));
try {
  const source = join(folder, "godwit");
  const date = await sourceDate();
  const sources = values.commit === undefined ? root : join(folder, "sources");
  if (values.commit !== undefined) await layOutCommit(root, values.commit, sources);
  await stage({ root: sources, source, date, version: values.as });
  await writeFile(join(source, "debian/changelog"), changelog(date));
  await run("dpkg-buildpackage", ["--build=binary", "--unsigned-changes", "--no-check-builddeps"], {
    what: "building the packages (apt-get install dpkg-dev debhelper)",
    cwd: source,
    timeoutMs: 600_000,
    env: { SOURCE_DATE_EPOCH: String(date.getTime() / 1000), DEB_BUILD_OPTIONS: "nocheck" },
  });
  await mkdir(values.out, { recursive: true });
  for (const name of await readdir(folder)) {
    if (!name.endsWith(".deb")) continue;
    await cp(join(folder, name), join(values.out, `${name}.new`));
    await rename(join(values.out, `${name}.new`), join(values.out, name));
    process.stdout.write(`${join(values.out, name)}\n`);
  }
} catch (error) {
  if (!GodwitError.is(error)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** Of the commit, unless SOURCE_DATE_EPOCH says another. */
async function sourceDate(): Promise<Date> {
  const { SOURCE_DATE_EPOCH: given } = process.env;
  if (given !== undefined) return new Date(Number(given) * 1000);
  const { stdout } = await run("git", ["log", "-1", "--format=%ct", values.commit ?? "HEAD"], {
    what: "reading the commit",
    cwd: root,
  });
  return new Date(Number(stdout.trim()) * 1000);
}

function changelog(date: Date): string {
  const day = date.toUTCString().replace("GMT", "+0000");
  return `godwit (${values.as.replace("-", "~")}-1) unstable; urgency=medium

  * Changes are in /usr/share/doc/godwit/changelog.gz.

 -- The Godwit maintainers <maintainers@godwit.dev>  ${day}
`;
}
