/** The set-up of a checkout takes no other Node than the one whose hash is written down. */
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const script = fileURLToPath(new URL("../../../scripts/bootstrap.sh", import.meta.url));

test("a package whose hash is another is refused by name", async () => {
  const folder = await mkdtemp(join(tmpdir(), "godwit-bootstrap-"));
  try {
    const file = join(folder, "node.tgz");
    await writeFile(file, "not the package");
    const check = (hash: string) =>
      spawnSync("bash", ["-c", `. "$1" && godwit_check_hash "$2" "$3"`, "bash", script, file, hash], {
        encoding: "utf8",
      });
    expect(check(createHash("sha512").update("not the package").digest("base64")).status).toBe(0);
    const refused = check(createHash("sha512").update("the package").digest("base64"));
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain("node.tgz is not the file that this version of Godwit expects");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
