/** Files in a folder that somebody else writes to: only a plain file of the expected owner is opened, and at once. */
import { execFileSync } from "node:child_process";
import { constants } from "node:fs";
import { chown, link, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openChecked, readCheckedOrNull, readTailOrNull } from "../src/index.ts";

const nobody = 65_534;
let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-files-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});
const appending = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND;

test("a plain file is read whole or by its end, and one that is not there is null", async () => {
  const path = join(folder, "log");
  expect(await readCheckedOrNull(path)).toBeNull();
  expect(await readTailOrNull(path)).toBeNull();
  await writeFile(path, "first\nlast");
  expect(await readCheckedOrNull(path)).toBe("first\nlast");
  expect(await readTailOrNull(path, 4)).toBe("last");
  await expect(readCheckedOrNull(path, 4)).rejects.toMatchObject({ code: "FILE_UNTRUSTED" });
});

test("a link to a file of root is neither read nor written", async () => {
  const secret = join(folder, "secret");
  await writeFile(secret, "of root");
  const path = join(folder, "qemu.log");
  await symlink(secret, path);
  const refused = { code: "FILE_UNTRUSTED", message: expect.stringContaining("symbolic link") as string };
  await expect(readTailOrNull(path)).rejects.toMatchObject(refused);
  await expect(openChecked(path, appending)).rejects.toMatchObject(refused);
  await rm(path);
  await symlink(join(folder, "cron.d"), path); // nothing is there yet
  await expect(openChecked(path, appending)).rejects.toMatchObject(refused);
  await expect(stat(join(folder, "cron.d"))).rejects.toMatchObject({ code: "ENOENT" });
  await rm(path);
  await link(secret, path);
  await expect(openChecked(path, appending)).rejects.toMatchObject({ code: "FILE_UNTRUSTED" });
  expect(await readFile(secret, "utf8")).toBe("of root");
});

test("a FIFO, a socket, a folder and a file of another user are refused without waiting", async () => {
  const path = join(folder, "it");
  const refused = { code: "FILE_UNTRUSTED" };
  execFileSync("mkfifo", [path]);
  await expect(readTailOrNull(path)).rejects.toMatchObject(refused);
  await expect(openChecked(path, constants.O_WRONLY)).rejects.toMatchObject(refused);
  await rm(path);
  await mkdir(path);
  await expect(readTailOrNull(path)).rejects.toMatchObject(refused);
  await rm(path, { recursive: true });
  await writeFile(path, "");
  await chown(path, nobody, nobody);
  await expect(readTailOrNull(path)).rejects.toMatchObject(refused);
  await (await openChecked(path, constants.O_RDONLY, { owner: nobody })).close();
  await rm(path);
  const server = createServer().listen(path);
  await new Promise((resolve) => server.once("listening", resolve));
  try {
    await expect(readTailOrNull(path)).rejects.toMatchObject(refused);
  } finally {
    server.close();
  }
});
