/** A database that the version before wrote: every row is read, and what was under way goes on. */
import { randomUUID } from "node:crypto";
import { chmod, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { moveOrderSchema, serverEventSchema, taskSchema, type TaskId, type VmId } from "@godwit/contract";
import { ensureUser } from "@godwit/system";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PrivatePostgres, Store } from "../src/index.ts";

const migrations = new URL("../src/migrations/", import.meta.url);
const recorded = new URL("fixtures/version-4.sql", import.meta.url);
const recordedVersion = 4;

let folder: string;
let postgres: PrivatePostgres;
let store: Store;
beforeAll(async () => {
  await ensureUser("godwit-db");
  folder = await mkdtemp(join(tmpdir(), "godwit-pg-"));
  await chmod(folder, 0o755); // the database's user passes through
  postgres = await PrivatePostgres.start(
    { folder: join(folder, "database"), socketFolder: join(folder, "socket"), user: "godwit-db" },
    () => undefined,
  );
  const client = new pg.Client(postgres.connection);
  await client.connect();
  const files = (await readdir(migrations)).sort().slice(0, recordedVersion);
  for (const file of files) await client.query(await readFile(new URL(file, migrations), "utf8"));
  await client.query("create table schema_version (version integer not null)");
  await client.query("insert into schema_version values ($1)", [recordedVersion]);
  await client.query(await readFile(recorded, "utf8"));
  await client.end();
  store = await Store.open(postgres.connection);
});
afterAll(async () => {
  await store.close();
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
});

const idOf = (number: number) => `10000000-0000-4000-8000-00000000000${String(number)}` as TaskId;
const vmIdOf = (number: number) => `20000000-0000-4000-8000-00000000000${String(number)}` as VmId;

test("tasks of every kind, under way and ended, are what the contract says", async () => {
  const tasks = await store.tasks.list({ limit: 100 });
  expect(tasks).toHaveLength(8);
  for (const task of tasks) expect(taskSchema.parse(task)).toEqual(task);
  expect((await store.tasks.unfinished()).map(({ kind }) => kind).sort()).toEqual([
    ...["host.enterMaintenance", "vm.configure", "vm.create", "vm.migrate", "vm.stop"],
  ]);
  expect(await store.tasks.show(idOf(2))).toMatchObject({
    request: { vm: { id: vmIdOf(2), name: "web-2" }, cpu: { add: ["sse4.2"] } },
  });
  expect(await store.tasks.show(idOf(1))).toMatchObject({ waitingFor: null });
});

test("a move that is under way keeps its order, its progress and its phases", async () => {
  const move = await store.tasks.show(idOf(6));
  expect(move).toMatchObject({
    request: {
      vm: { id: vmIdOf(6), name: "web-6" },
      from: "a",
      to: "b",
      maxOutageMs: 250,
      accelerator: "tcg",
    },
    ...{ phase: "copying", progress: { remainingBytes: 550 }, parent: idOf(8) },
    // The record of this one is in a form that no version can read: it is left out, and nothing else.
    move: null,
  });
  expect(move.steps.map(({ key }) => key)).toEqual(["preparing", "copying"]);
  const order = await store.tasks.stepResult(idOf(6), "order");
  expect(moveOrderSchema.parse(order?.value)).toMatchObject({ id: idOf(6), vm: { name: "web-6" } });
});

test("what is under way still keeps its objects busy, a VM's name too", async () => {
  const request = { vm: { id: vmIdOf(6), name: "web-6" }, to: "b" };
  const common = { id: randomUUID() as TaskId, actor: "admin" };
  await expect(store.tasks.create({ ...common, kind: "vm.relocate", request })).rejects.toMatchObject({
    code: "VM_BUSY",
    problem: { details: { task: idOf(6) } },
  });
  const { request: first } = await store.tasks.show(idOf(1));
  const again = { ...(first as { id: VmId }), id: randomUUID() as VmId };
  await expect(
    store.tasks.create({ ...common, kind: "vm.create", request: again as never }),
  ).rejects.toMatchObject({ code: "VM_BUSY", problem: { details: { task: idOf(1) } } });
  await store.tasks.change(idOf(6), () => ({ state: "failed" }));
  expect(await store.tasks.create({ ...common, kind: "vm.relocate", request })).toMatchObject({
    state: "queued",
  });
});

test("events that are left are what the contract says", async () => {
  for await (const event of await store.events.follow(new AbortController().signal, 0)) {
    expect(serverEventSchema.parse(event)).toEqual(event);
    if (event.type === "host.lost") break;
  }
});

const ask = async <Row extends object>(connection: pg.ClientConfig, text: string): Promise<Row[]> => {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
};
const names = async () => (await readdir(migrations)).map((file) => file.replace(/\.sql$/, "")).sort();
const appliedQuery = "select name from kysely_migration order by name";

test("a database of the version before is entered with the migrations that it has had, and the rest follows once", async () => {
  const applied = await ask<{ name: string }>(postgres.connection, appliedQuery);
  expect(applied.map(({ name }) => name)).toEqual(await names());
  const again = await Store.open(postgres.connection);
  await again.close();
  expect(await ask(postgres.connection, appliedQuery)).toEqual(applied);
});

test("the schema of today's database, without the Migrator's table, is taken over as it is", async () => {
  await ask(postgres.connection, "create database of_today");
  const connection = { ...postgres.connection, database: "of_today" };
  // As the program before the Migrator made it: its eight files, and their number.
  const own = (await readdir(migrations)).sort().slice(0, 8);
  for (const file of own) await ask(connection, await readFile(new URL(file, migrations), "utf8"));
  await ask(connection, "create table schema_version (version integer not null)");
  await ask(connection, "insert into schema_version values (8)");
  await ask(
    connection,
    "insert into vms (id, name, state, host, seen_at, config) " +
      "values ('20000000-0000-4000-8000-000000000001', 'web-1', 'running', 'a', now(), '{}')",
  );
  const taken = await Store.open(connection);
  expect(await taken.vms.show("web-1")).toMatchObject({ host: "a", state: "running" });
  await taken.close();
  expect((await ask<{ name: string }>(connection, appliedQuery)).map(({ name }) => name)).toEqual(
    await names(),
  );
  // The program before the Migrator knows eight, and refuses.
  expect(await ask(connection, "select version from schema_version")).toEqual([{ version: 9 }]);
});

test("a database of a newer program is refused, whichever table says so", async () => {
  await ask(postgres.connection, "create database newer");
  const connection = { ...postgres.connection, database: "newer" };
  await ask(connection, "create table schema_version (version integer not null)");
  await ask(connection, "insert into schema_version values (4711)");
  await expect(Store.open(connection)).rejects.toMatchObject({
    code: "DATABASE_NEWER",
    problem: { details: { found: 4711 } },
  });
  await ask(connection, "drop table schema_version");
  await (await Store.open(connection)).close();
  await ask(connection, "insert into kysely_migration values ('9999-of-tomorrow', 'then')");
  await expect(Store.open(connection)).rejects.toMatchObject({ code: "DATABASE_NEWER" });
});

test("a migration that fails leaves the database as it was", async () => {
  await ask(postgres.connection, "create database failing");
  const connection = { ...postgres.connection, database: "failing" };
  // In the way of the first of the migrations that follow.
  await ask(connection, "create table pools (name text)");
  await expect(Store.open(connection)).rejects.toThrow("already exists");
  expect(await ask(connection, "select to_regclass('hosts') as hosts")).toEqual([{ hosts: null }]);
});
