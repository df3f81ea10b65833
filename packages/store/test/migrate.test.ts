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
