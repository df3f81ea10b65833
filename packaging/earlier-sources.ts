/** The sources of an earlier commit, beside this checkout, to package them as the version before: for tests of upgrades. */
import { mkdir, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { run } from "@godwit/system";

/**
 * npm packages are this checkout's: those of the earlier commit's lock file must be among them.
 * @param folder is made. @throws PROGRAM_FAILED when there is no such commit
 */
export async function layOutCommit(root: string, commit: string, folder: string): Promise<void> {
  const archive = `${folder}.tar`;
  await run("git", ["archive", "--output", archive, commit], {
    what: `reading the sources of ${commit}`,
    cwd: root,
  });
  await mkdir(folder);
  await run("tar", ["--extract", "--file", archive, "--directory", folder], {
    what: `laying out the sources of ${commit}`,
    timeoutMs: 300_000,
  });
  await rm(archive);
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
}
