/**
 * Every schema that was ever written goes forward to today's, with what is in it. Its migrations are kept as they were
 * committed: a changed one would give databases of the same number two schemas.
 */
import { createHash } from "node:crypto";
import { chmod, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureUser, run } from "@godwit/system";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PrivatePostgres, Store } from "../src/index.ts";
import { user } from "./own-postgres.ts";

const migrations = new URL("../src/migrations/", import.meta.url);
const files = (await readdir(migrations)).filter((name) => name.endsWith(".sql")).sort();
/** From this one on, Kysely's Migrator keeps the names of those that are applied. */
const firstOfMigrator = 9;
/** From this one on, a host is known by its member's id. */
const firstWithMembers = 8;

let folder: string;
let postgres: PrivatePostgres;
beforeAll(async () => {
  await ensureUser(user);
  folder = await mkdtemp(join(tmpdir(), "godwit-pg-"));
  await chmod(folder, 0o755); // the database's user passes through
  postgres = await PrivatePostgres.start(
    { folder: join(folder, "database"), socketFolder: join(folder, "socket"), user },
    () => undefined,
  );
});
afterAll(async () => {
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
});

async function ask(connection: pg.ClientConfig, ...texts: string[]): Promise<void> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    for (const text of texts) await client.query(text);
  } finally {
    await client.end();
  }
}

async function made(database: string): Promise<pg.ClientConfig> {
  await ask(postgres.connection, `create database ${database}`);
  return { ...postgres.connection, database };
}

/** As PostgreSQL itself describes it. */
async function schemaOf({ host, port, user: name, database }: pg.ClientConfig): Promise<string> {
  const { stdout } = await run(
    "pg_dump",
    [
      ...["--schema-only", "--no-owner", "--exclude-table", "schema_version"],
      ...["--host", host ?? "", "--port", String(port), "--username", name as string, database ?? ""],
    ],
    { what: "reading a schema", cwd: "/" },
  );
  // Newer versions mark the file with a word of its own.
  return stdout.replaceAll(/^\\(un)?restrict .*$/gm, "");
}

test("migrations are as they were when they were committed", async () => {
  const recorded = await readFile(new URL("fixtures/migrations.sha256", import.meta.url), "utf8");
  for (const line of recorded.trim().split("\n")) {
    const [digest, name = ""] = line.split(/\s+/);
    const text = await readFile(new URL(name, migrations));
    expect(createHash("sha256").update(text).digest("hex"), name).toBe(digest);
  }
});

test("a database of every earlier schema becomes one of today's, and keeps its hosts and VMs", async () => {
  const fresh = await made("fresh");
  await (await Store.open(fresh)).close();
  const today = await schemaOf(fresh);
  expect(today).toContain("CREATE TABLE public.vms");
  for (const [index] of files.slice(0, -1).entries()) {
    const version = index + 1;
    const connection = await made(`of_${String(version)}`);
    const applied = files.slice(0, version);
    for (const file of applied) {
      // The ninth hands over to the Migrator, from the table that programs before it had.
      if (file.startsWith("0009"))
        await ask(
          connection,
          "create table schema_version (version integer not null)",
          "insert into schema_version values (8)",
        );
      await ask(connection, await readFile(new URL(file, migrations), "utf8"));
    }
    if (version < firstOfMigrator)
      await ask(
        connection,
        "create table schema_version (version integer not null)",
        `insert into schema_version values (${String(version)})`,
      );
    else
      await ask(
        connection,
        "create table kysely_migration (name varchar(255) not null primary key, timestamp varchar(255) not null)",
        ...applied.map(
          (file) =>
            `insert into kysely_migration values ('${file.replace(/\.sql$/, "")}', '2026-01-01T00:00:00.000Z')`,
        ),
      );
    const member = version < firstWithMembers ? "certificate_fingerprint" : "member_id";
    await ask(
      connection,
      `insert into hosts (name, agent_url, ${member}) values ('a', 'https://10.0.0.1:8444', 'known')`,
      "insert into vms (id, name, state, host, seen_at, config) " +
        "values ('20000000-0000-4000-8000-000000000001', 'web-1', 'running', 'a', now(), '{}')",
    );
    const store = await Store.open(connection);
    try {
      expect(await store.vms.show("web-1"), `version ${String(version)}`).toMatchObject({
        host: "a",
        state: "running",
      });
      expect(await store.hosts.connections()).toMatchObject([{ name: "a", memberId: "known" }]);
    } finally {
      await store.close();
    }
    expect(await schemaOf(connection), `version ${String(version)}`).toBe(today);
  }
}, 600_000);
