/** The disk under the database is full: it is told by name, what was written stays, and all goes on when there is room. */
import { chmod, mkdtemp, open, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GodwitError, type NewEvent, type ServerEvent } from "@godwit/contract";
import { ensureUser, run, until } from "@godwit/system";
import { expect, test } from "vitest";
import { PrivatePostgres, Store } from "../src/index.ts";
import { user } from "./own-postgres.ts";

const joined: NewEvent<ServerEvent> = { type: "host.joined", subject: { kind: "host", id: "a" }, data: {} };

/** A file system of its own, which can be filled. */
async function smallDisk(mib: number): Promise<{ folder: string } & AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), "godwit-full-"));
  await run("mount", ["-t", "tmpfs", "-o", `size=${String(mib)}m`, "none", folder], {
    what: "making a disk",
  });
  await chmod(folder, 0o755);
  return {
    folder,
    async [Symbol.asyncDispose]() {
      await run("umount", ["-l", folder], { what: "taking the disk away" });
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Takes all the room that there is. @returns gives it back */
async function fill(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, "filler");
  const file = await open(path, "w");
  const { bavail, bsize } = await statfs(folder);
  await file.writeFile(Buffer.alloc(bavail * bsize)).catch(() => undefined);
  await file.close();
  return () => rm(path);
}

test("a full disk is told as a database that is not there, and loses nothing", async () => {
  await ensureUser(user);
  await using disk = await smallDisk(160);
  const options = {
    folder: join(disk.folder, "database"),
    socketFolder: join(disk.folder, "socket"),
    user,
  };
  const postgres = await PrivatePostgres.start(options, () => undefined);
  const store = await Store.open(postgres.connection);
  try {
    await store.events.append(joined);
    const written = await store.events.lastId();
    const free = await fill(disk.folder);
    // Some room is left within the files that there are.
    let refused: unknown = null;
    let acknowledged = written;
    for (let tried = 0; refused === null && tried < 20_000; tried++) {
      await store.events.append(joined).then(
        () => acknowledged++,
        (error: unknown) => {
          refused = error;
        },
      );
    }
    expect(GodwitError.is(refused, "DATABASE_UNAVAILABLE")).toBe(true);
    await free();
    const appends = async () =>
      await store.events.append(joined).then(
        () => true,
        () => false,
      );
    expect(await until(appends, { everyMs: 500, limitMs: 60_000 })).toBe(true);
    // None that was acknowledged is lost; one that was refused may have been written all the same.
    expect(await store.events.lastId()).toBeGreaterThan(acknowledged);
  } finally {
    await store.close();
    await postgres.stop();
  }
});
