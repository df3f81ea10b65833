/** The server's own PostgreSQL: which programs it starts with, and what it never erases. */
import { chmod, lchown, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureUser, userIds } from "@godwit/system";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { PrivatePostgres } from "../src/index.ts";
import { user } from "./own-postgres.ts";

let folder: string;
let database: string;
const start = async () =>
  await PrivatePostgres.start(
    { folder: database, socketFolder: join(folder, "socket"), user },
    () => undefined,
  );
beforeEach(async () => {
  await ensureUser(user);
  folder = await mkdtemp(join(tmpdir(), "godwit-pg-"));
  await chmod(folder, 0o755); // the database's user passes through
  database = join(folder, "database");
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

test("a folder that holds something else is refused and left as it is", async () => {
  await mkdir(database);
  await writeFile(join(database, "base.tar"), "all that is left of a database");
  await expect(start()).rejects.toMatchObject({ code: "DATABASE_FOLDER_FOREIGN" });
  expect(await readdir(database)).toEqual(["base.tar"]);
});

test("what an initdb of ours left when it was interrupted is made again", async () => {
  await mkdir(database);
  await writeFile(join(database, "PG_VERSION"), "1\n");
  await writeFile(`${database}.initialising`, "");
  const postgres = await start();
  await postgres.stop();
  expect(await readdir(folder)).not.toContain("database.initialising");
});

test("a cluster of a version whose programs are not installed is refused by name, and not touched", async () => {
  await mkdir(database);
  await writeFile(join(database, "PG_VERSION"), "9\n");
  await expect(start()).rejects.toMatchObject({
    code: "PROGRAM_MISSING",
    problem: { details: { package: "postgresql-9" } },
  });
  expect(await readdir(database)).toEqual(["PG_VERSION"]);
});

test("a cluster is started by the programs of the version that wrote it, and does not speak to systemd for the server", async () => {
  vi.stubEnv("NOTIFY_SOCKET", join(folder, "notify"));
  const first = await start();
  await first.stop();
  const version = (await readFile(join(database, "PG_VERSION"), "utf8")).trim();
  const again = await start();
  const command = await readFile(`/proc/${String(again.pid)}/cmdline`, "utf8");
  const environment = await readFile(`/proc/${String(again.pid)}/environ`, "utf8");
  await again.stop();
  expect(environment).not.toContain("NOTIFY_SOCKET");
  expect(command).toContain(`/usr/lib/postgresql/${version}/bin/postgres`);
  // Huge pages that a machine has set aside are for VMs.
  expect(command.split("\0")).toContain("huge_pages=off");
});

test("what the database's user puts in the place of its log is not followed", async () => {
  const first = await start();
  await first.stop();
  const victim = join(folder, "root-only");
  await writeFile(victim, "untouched", { mode: 0o600 });
  const log = join(database, "postgres.log");
  await rm(log);
  await symlink(victim, log);
  const { uid, gid } = await userIds(user);
  await lchown(log, uid, gid);
  await expect(start()).rejects.toMatchObject({ code: "FILE_UNTRUSTED" });
  expect(await readFile(victim, "utf8")).toBe("untouched");
});
