/** The store over a real PostgreSQL of its own. */
import { randomUUID } from "node:crypto";
import {
  GodwitError,
  type TaskId,
  type TaskKind,
  type TaskRequest,
  type Vm,
  type VmId,
} from "@godwit/contract";
import { isAlive, identifyProcess } from "@godwit/system";
import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Store, type NewTask } from "../src/index.ts";
import { references } from "../src/references.ts";
import { question } from "./host-words.ts";
import { OwnPostgres } from "./own-postgres.ts";

let database: OwnPostgres;
let store: Store;
beforeAll(async () => {
  database = await OwnPostgres.start();
  store = await Store.open(database.connection);
});
afterAll(async () => {
  await store.close();
  await database[Symbol.asyncDispose]();
});

const joined = async (name: string): Promise<void> => {
  const secret = await store.hosts.createToken(new Date(Date.now() + 60_000));
  await store.hosts.join(secret, {
    name,
    agentUrl: "https://192.0.2.1:8444",
    memberId: name,
    certificateEndsAt: null,
  });
};

test("a join token works once, and not after its time", async () => {
  const host = (name: string) => ({
    name,
    agentUrl: "https://10.0.0.1:8444",
    memberId: name,
    certificateEndsAt: null,
  });
  const token = await store.hosts.createToken(new Date(Date.now() + 60_000));
  await store.hosts.checkToken(token);
  await store.hosts.join(token, host("a"));
  await expect(store.hosts.checkToken(token)).rejects.toMatchObject({ code: "TOKEN_INVALID" });
  await expect(store.hosts.join(token, host("b"))).rejects.toMatchObject({
    code: "TOKEN_INVALID",
    problem: { details: { reason: "used" } },
  });
  await expect(store.hosts.join("nonsense", host("b"))).rejects.toMatchObject({ code: "TOKEN_INVALID" });
  const late = await store.hosts.createToken(new Date(Date.now() - 1));
  await expect(store.hosts.join(late, host("b"))).rejects.toMatchObject({
    problem: { details: { reason: "expired" } },
  });
  const second = await store.hosts.createToken(new Date(Date.now() + 60_000));
  await expect(store.hosts.join(second, host("a"))).rejects.toMatchObject({ code: "HOST_EXISTS" });
  await store.hosts.join(second, host("b")); // a refused host does not use the token up
});

const newTask = <K extends TaskKind>(kind: K, request: TaskRequest<K>, parent?: TaskId): NewTask<K> => ({
  ...{ id: randomUUID() as TaskId, kind, request, actor: "admin", parent },
});
const startOf = (id: VmId, host = "a") => newTask("vm.start", { vm: { id, name: "web-1" }, host });
const relocationOf = (id: VmId, parent?: TaskId) =>
  newTask("vm.relocate", { vm: { id, name: "web-1" }, to: "b" }, parent);
const maintenanceOf = (host: string) => newTask("host.enterMaintenance", { host, concurrency: 2 });
const anyVm = () => randomUUID() as VmId;

test("a task keeps a host busy beside its subject, until it lets go or ends", async () => {
  await joined("held");
  const request = {
    pool: "east",
    hosts: ["held"],
    command: "true",
    timeoutSeconds: 1,
    reboot: false,
    concurrency: 1,
  };
  const update = await store.tasks.create(newTask("pool.update", request));
  await store.tasks.hold(update.id, "held");
  await store.tasks.hold(update.id, "held");
  const underWay = { code: "HOST_TASK_UNDER_WAY", problem: { details: { task: update.id } } };
  await expect(store.hosts.setMaintenance("held", "on", null)).rejects.toMatchObject(underWay);
  await expect(store.tasks.create(maintenanceOf("held"))).rejects.toMatchObject(underWay);
  await store.hosts.setMaintenance("held", "on", update.id);
  await expect(store.tasks.create(newTask("pool.update", request))).rejects.toMatchObject({
    code: "POOL_TASK_UNDER_WAY",
  });
  await store.tasks.letGo(update.id, "held");
  const other = await store.tasks.create(maintenanceOf("held"));
  await expect(store.tasks.hold(update.id, "held")).rejects.toMatchObject({ code: "HOST_TASK_UNDER_WAY" });
  await store.tasks.change(other.id, () => ({ state: "succeeded" }));
  await store.tasks.hold(update.id, "held");
  await store.tasks.change(update.id, () => ({ state: "succeeded" }));
  await store.hosts.setMaintenance("held", "off", null);
});

test("how the restart of a VM ended is told with the end of its task, once, and other starts tell nothing", async () => {
  await joined("restarts");
  const from = await store.events.lastId();
  const restart = { pool: "east", from: "away" };
  const start = (name: string, more: object = {}) =>
    newTask("vm.start", { vm: { id: anyVm(), name }, host: "restarts", ...more });
  const good = await store.tasks.create(start("web-1", { restart }));
  const bad = await store.tasks.create(start("web-2", { restart }));
  const plain = await store.tasks.create(start("web-3"));
  const error = GodwitError.of("VM_UNKNOWN", { vm: "web-2" }).problem;
  for (let twice = 0; twice < 2; twice += 1) {
    await store.tasks.change(good.id, () => ({ state: "succeeded" }));
    await store.tasks.change(bad.id, () => ({ state: "failed", error }));
    await store.tasks.change(plain.id, () => ({ state: "succeeded" }));
  }
  const told = await database.ask<{ type: string; subject_id: string; data: object }>(
    `select type, subject_id, data from events where id > ${String(from)} and type like 'pool.%' order by id`,
  );
  expect(told).toEqual([
    {
      ...{ type: "pool.vmRestarted", subject_id: "east" },
      data: { vm: "web-1", from: "away", to: "restarts", task: good.id },
    },
    {
      ...{ type: "pool.restartFailed", subject_id: "east" },
      data: { vm: "web-2", to: "restarts", task: bad.id, reason: error.detail },
    },
  ]);
});

test("an object has one task at a time, and readers of events miss none of them", async () => {
  const vmId = randomUUID() as VmId;
  const from = await store.events.lastId();
  const first = await store.tasks.create(startOf(vmId));
  await expect(store.tasks.create(startOf(vmId))).rejects.toMatchObject({
    code: "VM_BUSY",
    problem: { details: { task: first.id, what: first.description } },
  });
  await Promise.all(
    Array.from({ length: 40 }, () =>
      store.tasks.change(first.id, ({ cancellable }) => ({ cancellable: !cancellable })),
    ),
  );
  await store.tasks.change(first.id, () => ({ state: "succeeded" }));
  const second = await store.tasks.create(startOf(vmId));
  const revisions: number[] = [];
  const over = new AbortController();
  for await (const event of await store.events.follow(over.signal, from)) {
    if (event.type !== "task.changed" || event.subject.id !== first.id) break;
    revisions.push(event.data.task.revision);
  }
  await store.tasks.change(second.id, () => ({ state: "succeeded" }));
  expect(revisions).toEqual(Array.from({ length: 42 }, (_, index) => index + 1));
});

test("old tasks are forgotten with their parts, but none that is under way", async () => {
  const end = async (id: TaskId) => await store.tasks.change(id, () => ({ state: "succeeded" }));
  const known = async (id: TaskId) =>
    await store.tasks.show(id).then(
      () => true,
      () => false,
    );
  for (const host of ["x", "y"]) await joined(host);
  const [old, underWay] = [
    await store.tasks.create(maintenanceOf("x")),
    await store.tasks.create(maintenanceOf("y")),
  ];
  const parts = [
    await store.tasks.create(relocationOf(anyVm(), old.id)),
    await store.tasks.create(relocationOf(anyVm(), underWay.id)),
  ];
  for (const { id } of [...parts, old]) await end(id);
  const newest = await store.tasks.create(relocationOf(anyVm()));
  await end(newest.id);
  await store.tasks.trim(10_000);
  expect(await known(old.id)).toBe(true);
  await store.tasks.trim(1);
  const left = await Promise.all([old, ...parts, underWay, newest].map(({ id }) => known(id)));
  expect(left).toEqual([false, false, true, true, true]);
});

test("a host that VMs, tasks or a way back need is not removed; what goes with it does", async () => {
  for (const host of ["r", "s"]) await joined(host);
  const vm = (name: string): Vm => ({ id: anyVm(), name, disks: [] as Vm["disks"] }) as Vm;
  const [web, rest] = [vm("ref-web"), vm("ref-rest")];
  await store.vms.enter(web, { host: "r", state: "running" });
  await store.vms.enter(rest, { host: "r", state: "stopped" });
  const order = {
    maxOutageMs: 50,
    accelerator: "kvm",
    strategy: "precopy",
    bandwidthBytesPerSecond: null,
  } as const;
  const move = await store.tasks.create(
    newTask("vm.migrate", { vm: { id: anyVm(), name: "ref-db" }, from: "s", to: "r", ...order }),
  );
  const problem = async (host: string) =>
    await store.hosts.remove(host, false).then(
      () => "removed",
      (error: unknown) => error,
    );
  expect(await problem("r")).toMatchObject({
    code: "HOST_BUSY",
    problem: {
      details: {
        ...{ running: ["ref-web"], stopped: ["ref-rest"] },
        tasks: [`${move.id} (move VM ref-db from host s to host r)`],
      },
    },
  });
  // The source of a move is needed too.
  expect(await problem("s")).toMatchObject({
    problem: { details: { running: [], tasks: [expect.any(String)] } },
  });
  await store.tasks.change(move.id, () => ({ state: "succeeded" }));
  expect(await problem("s")).toBe("removed");

  const wayBack = await store.hosts.createToken(new Date(Date.now() + 60_000), "r");
  await store.leases.acquire(question(web.id, "r"), "EX");
  await expect(store.vms.remove(web.id, null)).rejects.toMatchObject({ code: "LEASE_HELD" });
  await store.hosts.remove("r", true);
  await expect(store.hosts.checkToken(wayBack)).rejects.toMatchObject({ code: "TOKEN_INVALID" });
  expect(await store.vms.show("ref-web")).toMatchObject({ state: "lost" });
  expect((await store.leases.show(web.id)).holders).toEqual([]);
  // Whoever asks for it now is too late.
  await expect(store.tasks.create(startOf(rest.id, "r"))).rejects.toMatchObject({ code: "HOST_UNKNOWN" });
  for (const { id } of [web, rest]) await store.vms.remove(id, null);
});

test("certificates of a host are numbered, and once one is used none before it counts", async () => {
  await joined("numbered");
  const inUse = async () => {
    const { generation, hosts } = await store.members.list();
    return { generation, certificate: hosts.find(({ name }) => name === "numbered")?.certificate };
  };
  const before = await inUse();
  expect(before.certificate).toBe(1);
  expect([
    await store.hosts.nextCertificate("numbered"),
    await store.hosts.nextCertificate("numbered"),
  ]).toEqual([2, 3]);
  expect((await inUse()).generation).toBe(before.generation); // issued is not used
  const uses = (number: number, id = "numbered") => store.hosts.usesCertificate("numbered", { id, number });
  expect(await uses(3, "joined before")).toBe(false);
  expect([await uses(3), await uses(3), await uses(2)]).toEqual([true, false, false]);
  expect(await inUse()).toEqual({ generation: before.generation + 1, certificate: 3 });
  // The database was restored from a backup of before the certificate was issued.
  expect(await uses(9)).toBe(true);
  expect(await store.hosts.nextCertificate("numbered")).toBe(10);
  await store.hosts.remove("numbered", false);
  await expect(store.hosts.nextCertificate("numbered")).rejects.toMatchObject({ code: "HOST_UNKNOWN" });
});

test("the folders of a host's VMs are those that no task is making, moving or deleting", async () => {
  await joined("f");
  const vm = (name: string) => ({ id: anyVm(), name, datastore: "shared", disks: [] as Vm["disks"] }) as Vm;
  const [web, rest] = [vm("folder-web"), vm("folder-rest")];
  await store.vms.enter(web, { host: "f", state: "running" });
  await store.vms.enter(rest, { host: "f", state: "stopped" });
  const task = await store.tasks.create(startOf(rest.id, "f"));
  expect(await store.vms.foldersOn("f")).toEqual([{ id: web.id, name: "folder-web", datastore: "shared" }]);
  await store.tasks.change(task.id, () => ({ state: "succeeded" }));
  expect((await store.vms.foldersOn("f")).map(({ name }) => name)).toEqual(["folder-rest", "folder-web"]);
  for (const { id } of [web, rest]) await store.vms.remove(id, null);
  await store.hosts.remove("f", false);
});

test("every column that names a host, a pool or a VM is asked when one is removed, or is history", async () => {
  const client = new pg.Client(database.connection);
  await client.connect();
  const { rows } = await client.query<{ column: string }>(`
    select table_name || '.' || column_name as column from information_schema.columns
    where table_schema = 'public' and column_name ~ '(^|_)(host|pool|vm|by|subject|arrives|request|heard|fenced)(_|$)'`);
  await client.end();
  const asked = new Set(
    Object.values(references).flatMap((of) => Object.values(of).flatMap(({ columns }) => columns)),
  );
  const history = [
    "events.subject_id",
    "events.subject_kind",
    "host_power.pool_woke_at",
    "host_power.state_pool",
    "join_tokens.used_by",
    "leases.last_exclusive_host",
    "leases.vm_name",
    "tasks.subject_kind",
    "tasks.subject_name",
  ];
  const columns = rows.map(({ column }) => column).sort();
  expect(columns.filter((column) => !asked.has(column))).toEqual(history);
  for (const column of asked) expect([column, columns.includes(column)]).toEqual([column, true]);
});

test("PostgreSQL is killed: calls say that it is away, it is started again, and nothing written is lost", async () => {
  const vm = randomUUID() as VmId;
  await store.leases.acquire(question(vm, "a"), "EX");
  const before = await identifyProcess(database.postgres.pid);
  process.kill(database.postgres.pid, "SIGKILL");
  const outcome = async () =>
    await store.leases.show(vm).then(
      () => "answered",
      (error: unknown) => (error as { code: string }).code,
    );
  await expect.poll(outcome, { timeout: 60_000, interval: 1 }).toBe("DATABASE_UNAVAILABLE");
  await expect.poll(async () => (await store.leases.show(vm)).holders.length).toBe(1);
  expect(before === null || (await isAlive(before))).toBe(false);
});

test("lists come in pages: each row once, in order, until there is no next; and as what a list shows", async () => {
  const names = ["page-a", "page-b", "page-c"];
  for (const name of names) {
    const vm = {
      id: anyVm(),
      name,
      memoryMib: 64,
      vcpus: 2,
      datastore: "shared",
      disks: [] as Vm["disks"],
      ...(name === "page-a" ? {} : { tags: name === "page-b" ? ["prod"] : ["prod", "web"] }),
    } as Vm;
    await store.vms.enter(vm, { host: "nowhere", state: "stopped" });
  }
  const read = async <Row extends { name: string }>(
    page: (part: { limit: number; cursor?: string }) => Promise<{ rows: Row[]; next: string | null }>,
  ): Promise<Row[]> => {
    const rows: Row[] = [];
    for (let cursor: string | null = "page-"; cursor !== null;) {
      const { rows: some, next } = await page({ limit: 2, cursor });
      expect(some.length).toBeLessThanOrEqual(2);
      rows.push(...some);
      cursor = next;
    }
    return rows.filter(({ name }) => name.startsWith("page-"));
  };
  expect((await read((part) => store.vms.page(part))).map(({ name }) => name)).toEqual(names);
  const summaries = await read((part) => store.vms.summaries(part));
  expect(summaries.map(({ name }) => name)).toEqual(names);
  expect(summaries[0]).toMatchObject({
    state: "stopped",
    host: "nowhere",
    memoryMib: 64,
    vcpus: 2,
    datastore: "shared",
  });

  expect(summaries.map(({ tags }) => tags)).toEqual([undefined, ["prod"], ["prod", "web"]]);
  const tagged = async (...tags: string[]) =>
    (await read((part) => store.vms.summaries({ ...part, tags }))).map(({ name }) => name);
  expect(await tagged("prod")).toEqual(["page-b", "page-c"]);
  expect(await tagged("web", "prod")).toEqual(["page-c"]);
  expect(await tagged("pro")).toEqual([]);
  expect(await read((part) => store.vms.page({ ...part, tags: ["web"] }))).toMatchObject([
    { name: "page-c" },
  ]);

  const ids = [];
  for (let turn = 0; turn < 3; turn++) ids.unshift((await store.tasks.create(startOf(anyVm()))).id);
  const first = await store.tasks.page({ limit: 2 });
  expect(first.rows.map(({ id }) => id)).toEqual(ids.slice(0, 2));
  const second = await store.tasks.page({ limit: 2, cursor: first.next ?? "" });
  expect(second.rows[0]?.id).toBe(ids[2]);
  for (const id of ids) await store.tasks.change(id, () => ({ state: "succeeded" }));
});

test("a database of a newer version is left alone", async () => {
  const client = new pg.Client(database.connection);
  await client.connect();
  await client.query("insert into kysely_migration values ('9999-of-a-newer-program', '')");
  await expect(Store.open(database.connection)).rejects.toMatchObject({ code: "DATABASE_NEWER" });
  await client.query("delete from kysely_migration where name like '9999-%'");
  await client.end();
});

test("a host in maintenance takes no VMs, from the moment on that it enters it", async () => {
  const secret = await store.hosts.createToken(new Date(Date.now() + 60_000));
  await store.hosts.join(secret, {
    name: "m",
    agentUrl: "https://m:8444",
    memberId: "00",
    certificateEndsAt: null,
  });
  const begin = (host: string) => store.tasks.create(startOf(anyVm(), host));
  const earlier = await begin("m");
  const task = await store.tasks.create(maintenanceOf("m"));
  await expect(store.tasks.create(maintenanceOf("m"))).rejects.toMatchObject({
    code: "HOST_TASK_UNDER_WAY",
    problem: { details: { task: task.id } },
  });
  await store.hosts.setMaintenance("m", "entering", task.id);
  await expect(begin("m")).rejects.toMatchObject({ code: "DESTINATION_IN_MAINTENANCE" });
  // What came before is known, and must end before the host can be empty.
  expect((await store.tasks.arriving()).map((one) => [one.host, one.task.id])).toEqual([["m", earlier.id]]);
  await expect(store.hosts.setMaintenance("m", "off", null)).rejects.toMatchObject({
    code: "HOST_TASK_UNDER_WAY",
  });
  await store.hosts.setMaintenance("m", "on", task.id);
  await store.tasks.change(task.id, () => ({ state: "succeeded" }));
  expect(await store.hosts.show("m")).toMatchObject({ maintenance: "on" });
  await store.hosts.setMaintenance("m", "off", null);
  await store.tasks.change(earlier.id, () => ({ state: "succeeded" }));
  await store.tasks.change((await begin("m")).id, () => ({ state: "succeeded" }));
});

test("a pool is not changed under a VM that is on its way to it, nor by someone who judged an older state", async () => {
  for (const name of ["east-1", "east-2"]) {
    const secret = await store.hosts.createToken(new Date(Date.now() + 60_000));
    const host = { name, agentUrl: "https://192.0.2.1:8444", memberId: name, certificateEndsAt: null };
    await store.hosts.join(secret, host);
  }
  const { pools, tasks } = store;
  const baseline = { mode: "intel-merom@1", microcode: [] };
  const arrives = async (host: string) => await tasks.create(startOf(anyVm(), host));
  const judgedAt = await pools.lastTask();
  const first = await arrives("east-1");
  const east = { name: "east", baseline, hosts: ["east-1"] };
  await expect(pools.create(east, judgedAt)).rejects.toMatchObject({ code: "POOL_CHANGED" });
  expect(await pools.baselineAt("east-1")).toBeNull();
  await tasks.change(first.id, () => ({ state: "failed" }));
  await pools.create(east, await pools.lastTask());
  expect(await pools.baselineAt("east-1")).toEqual(baseline);

  const judged = await pools.show("east");
  const second = await arrives("east-2");
  await expect(pools.addHost(judged, "east-2", baseline)).rejects.toMatchObject({ code: "POOL_CHANGED" });
  await tasks.change(second.id, () => ({ state: "failed" }));
  await pools.addHost(await pools.show("east"), "east-2", baseline);
  await expect(pools.setBaseline(judged, null)).rejects.toMatchObject({ code: "POOL_CHANGED" });
  await expect(pools.remove("east")).rejects.toMatchObject({ code: "POOL_NOT_EMPTY" });
  expect((await pools.show("east")).hosts).toEqual(["east-1", "east-2"]);
});

test("a clock that is set back freezes nothing: reports count, and the oldest tasks go", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: new Date("2027-01-01T00:00:00Z") });
  try {
    const vm = { id: anyVm(), name: "clock-1", disks: [] as Vm["disks"] } as Vm;
    await store.vms.enter(vm, { host: "a", state: "stopped" });
    await store.vms.place(vm.id, { host: "a", state: "running" });
    vi.setSystemTime(new Date("2026-01-01T00:00:00Z"));
    // As a database whose clock was set back too.
    await own("update tasks set created_at = created_at + interval '1 year'");
    const before = store.vms.lastChange;
    await store.vms.report(vm.id, store.vms.lastChange, () => ({ host: "a", state: "paused" }));
    expect(await store.vms.show(vm.id)).toMatchObject({ state: "paused" });
    await store.vms.place(vm.id, { host: "b", state: "running" });
    // Asked for before it was placed there.
    await store.vms.report(vm.id, before, () => ({ host: "a", state: "lost" }));
    expect(await store.vms.show(vm.id)).toMatchObject({ host: "b", state: "running" });
    const newest = await store.tasks.create(startOf(anyVm()));
    await store.tasks.change(newest.id, () => ({ state: "succeeded" }));
    await store.tasks.trim(1);
    expect((await store.tasks.show(newest.id)).state).toBe("succeeded");
    expect((await store.tasks.list({ limit: 1 }))[0]?.id).toBe(newest.id);
  } finally {
    vi.useRealTimers();
  }
});

async function own(query: string): Promise<void> {
  const client = new pg.Client(database.connection);
  await client.connect();
  await client.query(query);
  await client.end();
}
