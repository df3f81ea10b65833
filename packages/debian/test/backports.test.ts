/** Packages of the backports: what is said where none can be downloaded, and that the machine's apt stays as it was. */
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { unpackBackports } from "../src/index.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-backports-"));
});
afterEach(async () => {
  delete process.env.APT_CONFIG;
  await rm(folder, { recursive: true });
});

test("without a network it is refused in apt's words, and nothing is left behind", async () => {
  // Nobody listens on port 9 of this machine.
  await writeFile(
    join(folder, "apt.conf"),
    'Acquire::http::Proxy "http://127.0.0.1:9";\nAcquire::Retries "0";\n',
  );
  process.env.APT_CONFIG = join(folder, "apt.conf");
  await expect(unpackBackports(["seabios"], join(folder, "tree"))).rejects.toMatchObject({
    code: "PACKAGES_UNAVAILABLE",
    message: expect.stringMatching(/seabios.*Could not connect to 127.0.0.1:9/) as string,
  });
  expect(await readdir(folder)).toEqual(["apt.conf", "tree"]);
});
