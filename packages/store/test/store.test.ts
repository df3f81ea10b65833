/** The store over a real PostgreSQL of its own. */
import { randomUUID } from "node:crypto";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  hostFactsSchema,
  hostLoadSchema,
  type HostFacts,
  type HostLoad,
  type TaskId,
  type TaskKind,
  type TaskRequest,
  type Vm,
  type VmId,
} from "@godwit/contract";
import { ensureUser, isAlive, identifyProcess } from "@godwit/system";
import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { PrivatePostgres, Store, type NewTask } from "../src/index.ts";
import { references } from "../src/references.ts";

let folder: string;
let postgres: PrivatePostgres;
let store: Store;
const start = async () =>
  await PrivatePostgres.start(
    { folder: join(folder, "database"), socketFolder: join(folder, "socket"), user: "godwit-db" },
    () => undefined,
  );
beforeAll(async () => {
  await ensureUser("godwit-db");
  folder = await mkdtemp(join(tmpdir(), "godwit-pg-"));
  await chmod(folder, 0o755); // the database's user passes through
  postgres = await start();
  store = await Store.open(postgres.connection);
});
afterAll(async () => {
  await store.close();
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
});

let asked = 0;
const question = (vmId: VmId, host: string) => ({ vmId, vm: "web-1", host, number: ++asked });

const joined = async (name: string): Promise<void> => {
  const secret = await store.hosts.createToken(new Date(Date.now() + 60_000));
  await store.hosts.join(secret, {
    name,
    agentUrl: "https://192.0.2.1:8444",
    memberId: name,
    certificateEndsAt: null,
  });
};

test("a lease is exclusive or shared, never both, and its version grows with each new exclusive holder", async () => {
  const vm = randomUUID() as VmId;
  const { leases } = store;
  expect(await leases.acquire(question(vm, "a"), "EX")).toMatchObject({
    version: 1,
    holders: [{ host: "a", mode: "EX" }],
  });
  await expect(leases.acquire(question(vm, "b"), "SH")).rejects.toMatchObject({ code: "LEASE_HELD" });
  await expect(leases.convert(question(vm, "b"), "EX")).rejects.toMatchObject({ code: "LEASE_NOT_HELD" });
  await leases.convert(question(vm, "a"), "SH");
  await leases.acquire(question(vm, "b"), "SH");
  await expect(leases.convert(question(vm, "b"), "EX")).rejects.toMatchObject({ code: "LEASE_HELD" });
  await leases.release(question(vm, "a"));
  await leases.release(question(vm, "a")); // again changes nothing
  expect(await leases.convert(question(vm, "b"), "EX")).toMatchObject({
    version: 2,
    holders: [{ host: "b", mode: "EX" }],
  });
});

test("a question that was overtaken by a later one of its host changes nothing", async () => {
  const vm = randomUUID() as VmId;
  const { leases } = store;
  await leases.acquire(question(vm, "a"), "SH");
  const given = question(vm, "b"); // given up by its host, but still under way
  await leases.release(question(vm, "b"));
  await expect(leases.acquire(given, "SH")).rejects.toMatchObject({ code: "LEASE_OVERTAKEN" });
  // A refused question overtakes earlier ones too.
  const late = question(vm, "c");
  await expect(leases.acquire(question(vm, "c"), "EX")).rejects.toMatchObject({ code: "LEASE_HELD" });
  await expect(leases.acquire(late, "SH")).rejects.toMatchObject({ code: "LEASE_OVERTAKEN" });
  expect((await leases.show(vm)).holders.map(({ host }) => host)).toEqual(["a"]);
});

test("a host that is removed by force is fenced: its leases are free, and those who shared them are told", async () => {
  const vm = randomUUID() as VmId;
  const { leases, hosts } = store;
  await leases.acquire(question(vm, "a"), "SH");
  await leases.acquire(question(vm, "b"), "SH");
  await hosts.remove("b", true);
  expect(await leases.convert(question(vm, "a"), "EX")).toMatchObject({
    holders: [{ host: "a", mode: "EX" }],
    fenced: ["b"],
  });
  // It shares the lease for a new move: what was before is over.
  expect(await leases.convert(question(vm, "a"), "SH")).toMatchObject({ fenced: [] });
});

test("of many hosts that ask at once exactly one gets the exclusive lease", async () => {
  const vm = randomUUID() as VmId;
  const answers = await Promise.allSettled(
    Array.from({ length: 10 }, (_, index) => store.leases.acquire(question(vm, `h${String(index)}`), "EX")),
  );
  expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  expect((await store.leases.show(vm)).holders).toHaveLength(1);
});

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
  const vm = (name: string): Vm => ({ id: anyVm(), name }) as Vm;
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
  const vm = (name: string) => ({ id: anyVm(), name, datastore: "shared" }) as Vm;
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
  const client = new pg.Client(postgres.connection);
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
  const before = await identifyProcess(postgres.pid);
  process.kill(postgres.pid, "SIGKILL");
  const outcome = async () =>
    await store.leases.show(vm).then(
      () => "answered",
      (error: unknown) => (error as { code: string }).code,
    );
  await expect.poll(outcome, { timeout: 20_000, interval: 1 }).toBe("DATABASE_UNAVAILABLE");
  await expect.poll(async () => (await store.leases.show(vm)).holders.length, { timeout: 20_000 }).toBe(1);
  expect(before === null || (await isAlive(before))).toBe(false);
});

test("lists come in pages: each row once, in order, until there is no next; and as what a list shows", async () => {
  const names = ["page-a", "page-b", "page-c"];
  for (const name of names) {
    const vm = { id: anyVm(), name, memoryMib: 64, vcpus: 2, datastore: "shared" } as Vm;
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

  const ids = [];
  for (let turn = 0; turn < 3; turn++) ids.unshift((await store.tasks.create(startOf(anyVm()))).id);
  const first = await store.tasks.page({ limit: 2 });
  expect(first.rows.map(({ id }) => id)).toEqual(ids.slice(0, 2));
  const second = await store.tasks.page({ limit: 2, cursor: first.next ?? "" });
  expect(second.rows[0]?.id).toBe(ids[2]);
  for (const id of ids) await store.tasks.change(id, () => ({ state: "succeeded" }));
});

test("what a list shows of a host is what its reports say, also before there are any", async () => {
  const name = "summary-1";
  const joining = { name, agentUrl: "https://192.0.2.1:8444", memberId: "00", certificateEndsAt: null };
  await store.hosts.join(await store.hosts.createToken(new Date(Date.now() + 60_000)), joining);
  const summary = async () => (await store.hosts.summaries({ limit: 1, cursor: "summary-" })).rows[0];
  expect(await summary()).toMatchObject({
    name,
    agentVersion: null,
    logicalCpus: null,
    runningVms: null,
    alarms: [],
  });
  const known = facts(name);
  await store.hosts.reported(name, known);
  await store.hosts.saw([{ name, load: load(name, 3), alarms: [] }]);
  const shown = load(name, 3);
  expect(await summary()).toMatchObject({
    name,
    agentVersion: known.agentVersion,
    qemuVersion: known.qemu.version,
    accelerator: known.qemu.accelerator,
    logicalCpus: known.cpu.logicalCpus,
    usedCpus: shown.cpu?.usedCpus ?? null,
    availableBytes: shown.memory?.availableBytes ?? null,
    runningVms: shown.vms.filter(({ pid }) => pid !== null).length,
  });
  await store.hosts.remove(name, true);
});

test("a database of a newer version is left alone", async () => {
  const client = new pg.Client(postgres.connection);
  await client.connect();
  await client.query("insert into kysely_migration values ('9999-of-a-newer-program', '')");
  await expect(Store.open(postgres.connection)).rejects.toMatchObject({ code: "DATABASE_NEWER" });
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

const facts = (name: string): HostFacts => ({
  name,
  agentVersion: "0.1.0",
  reportedAt: new Date().toISOString(),
  cpu: { vendor: "GenuineIntel", model: "x", logicalCpus: 8, report: null, simulated: false },
  memory: { totalBytes: 2 ** 36 },
  qemu: {
    binary: "qemu-system-x86_64",
    version: "10.0.2",
    accelerator: "kvm",
    acceleratorReason: "",
    machines: [],
    cpuModels: [],
    availableFeatures: [],
  },
  migration: null,
  links: [],
  portGroups: [],
  datastores: [],
  failures: [],
});
const load = (name: string, availableBytes: number): HostLoad => ({
  name,
  reportedAt: new Date().toISOString(),
  memory: { availableBytes, pressurePercent: null },
  cpu: null,
  links: null,
  portGroups: null,
  datastores: [],
  vms: [],
  failures: [],
});

test("a change of what a host is is an event that names the parts; what it does changes without one", async () => {
  const name = "reporter";
  const secret = await store.hosts.createToken(new Date(Date.now() + 60_000));
  await store.hosts.join(secret, {
    name,
    agentUrl: "https://192.0.2.1:8444",
    memberId: name,
    certificateEndsAt: null,
  });
  const from = await store.events.lastId();
  const first = facts(name);
  await store.hosts.reported(name, first);
  await store.hosts.saw([{ name, load: load(name, 1), alarms: [] }]);
  await store.hosts.reported(name, { ...first, reportedAt: "2030-01-01T00:00:00Z" });
  await store.hosts.saw([{ name, load: load(name, 2), alarms: [] }]);
  await store.hosts.reported(name, { ...first, qemu: { ...first.qemu, version: "10.0.3" } });
  expect(await store.hosts.show(name)).toMatchObject({
    facts: { qemu: { version: "10.0.3" } },
    load: { memory: { availableBytes: 2 } },
    unreachableReason: null,
  });
  const vmId = "22222222-2222-4222-8222-222222222222" as VmId;
  expect(await store.vmUsers.of(name, vmId)).toBeNull();
  const user = { uid: 2_010_000_007, sharedBecause: null };
  const runs = {
    id: vmId,
    name: "web-1",
    state: "running",
    pid: 1,
    accelerator: null,
    startedAt: null,
  } as const;
  const vm = { ...runs, memoryMib: 64, pauseReason: null, user, usedCpus: null, residentBytes: null };
  await store.hosts.saw([{ name, load: { ...load(name, 2), vms: [vm] }, alarms: [] }]);
  expect(await store.vmUsers.of(name, vmId)).toEqual(user);
  await store.hosts.remove(name, false);
  const told: unknown[] = [];
  for await (const event of await store.events.follow(new AbortController().signal, from)) {
    told.push([event.type, (event.data as { parts?: string[] }).parts?.length ?? null]);
    if (event.type === "host.removed") break;
  }
  expect(told).toEqual([
    ["host.factsChanged", 10],
    ["host.factsChanged", 1],
    ["host.removed", null],
  ]);
  // A host that was removed while it was asked.
  await store.hosts.saw([{ name, load: load(name, 3), alarms: [] }]);
  expect((await store.hosts.list()).some((host) => host.name === name)).toBe(false);
});

test("a database of before hosts had two reports is taken over: what a host was, and what it did", async () => {
  const admin = new pg.Client(postgres.connection);
  await admin.connect();
  await admin.query("create database earlier");
  await admin.end();
  const connection = { ...postgres.connection, database: "earlier" };
  const client = new pg.Client(connection);
  await client.connect();
  const folder = new URL("../src/migrations/", import.meta.url);
  for (const name of ["0001-first", "0002-maintenance", "0003-pools", "0004-leases"])
    await client.query(await readFile(new URL(`${name}.sql`, folder), "utf8"));
  await client.query("create table schema_version (version integer not null)");
  await client.query("insert into schema_version values (4)");
  const link = { name: "eth1", up: true, addresses: ["10.0.0.1"], bitsPerSecond: 1e10, mtu: 9000 };
  const runtime = { id: randomUUID(), name: "web-1", state: "running", pid: 7, accelerator: "kvm" };
  const { failures: _, ...common } = facts("old");
  const earlier = {
    ...common,
    memory: { totalBytes: 1000, availableBytes: 400 },
    migration: { address: "10.0.0.1", link },
    links: [link],
    portGroups: [{ name: "office", bridge: "br0", uplink: "eth0", uplinkUp: true, mtu: 1500 }],
    datastores: [
      {
        ...{ name: "shared", id: randomUUID(), path: "/srv", shared: true, totalBytes: 100, freeBytes: 40 },
        leases: { state: "joined", reason: null, watchdog: true },
      },
    ],
    vms: [{ ...runtime, startedAt: null, memoryMib: 64 }],
  };
  const insert = `insert into hosts (name, agent_url, certificate_fingerprint, facts) values ($1, 'https://192.0.2.1:8444', '00', $2)`;
  await client.query(insert, ["old", JSON.stringify(earlier)]);
  await client.query(insert, ["plain", JSON.stringify({ ...earlier, name: "plain", migration: null })]);
  await client.query(insert, ["silent", null]);
  await client.end();

  const migrated = await Store.open(connection);
  try {
    const [old, plain, silent] = await migrated.hosts.list();
    expect(hostFactsSchema.strict().parse(old?.facts)).toMatchObject({
      memory: { totalBytes: 1000 },
      migration: { address: "10.0.0.1", link: { name: "eth1" } },
      datastores: [{ id: earlier.datastores[0]?.id, shared: true }],
      failures: [],
    });
    expect(old?.facts?.links[0]).not.toHaveProperty("up");
    expect(hostLoadSchema.strict().parse(old?.load)).toMatchObject({
      memory: { availableBytes: 400 },
      links: [{ name: "eth1", up: true }],
      portGroups: [{ name: "office", uplinkUp: true }],
      datastores: [{ space: { freeBytes: 40 }, leases: { state: "joined" } }],
      vms: [{ ...runtime, usedCpus: null }],
    });
    expect(hostFactsSchema.parse(plain?.facts).migration).toBe(null);
    expect(silent).toMatchObject({ facts: null, load: null });
  } finally {
    await migrated.close();
  }
});

test("a clock that is set back freezes nothing: reports count, and the oldest tasks go", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: new Date("2027-01-01T00:00:00Z") });
  try {
    const vm = { id: anyVm(), name: "clock-1" } as Vm;
    await store.vms.enter(vm, { host: "a", state: "stopped" });
    await store.vms.place(vm.id, { host: "a", state: "running" });
    vi.setSystemTime(new Date("2026-01-01T00:00:00Z"));
    // As a database whose clock was set back too.
    await own("update tasks set created_at = created_at + interval '1 year'");
    const before = store.vms.lastChange;
    await store.vms.report(vm.id, { host: "a", state: "paused" }, store.vms.lastChange);
    expect(await store.vms.show(vm.id)).toMatchObject({ state: "paused" });
    await store.vms.place(vm.id, { host: "b", state: "running" });
    // Asked for before it was placed there.
    await store.vms.report(vm.id, { host: "a", state: "lost" }, before);
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
  const client = new pg.Client(postgres.connection);
  await client.connect();
  await client.query(query);
  await client.end();
}

test("VMs get users of their own only when every host that has reported knows such users", async () => {
  const join = async (name: string, known: boolean) => {
    const secret = await store.hosts.createToken(new Date(Date.now() + 60_000));
    const agentUrl = "https://192.0.2.1:8444";
    await store.hosts.join(secret, { name, agentUrl, memberId: name, certificateEndsAt: null });
    const none = { vmUidsProblem: null, limitsProblem: null, appArmorProblem: null };
    const containment = { vmUids: { first: 2_010_000_000, count: 10 }, ...none };
    await store.hosts.reported(name, { ...facts(name), ...(known ? { containment } : {}) });
  };
  await join("new-1", true);
  expect(await store.vmUsers.mayBeOwn("new-1")).toBe(true);
  expect(await store.vmUsers.mayBeOwn("silent")).toBe(false);
  await join("old-1", false);
  expect(await store.vmUsers.mayBeOwn("new-1")).toBe(false);
  await store.hosts.remove("old-1", false);
  expect(await store.vmUsers.mayBeOwn("new-1")).toBe(true);
  await store.hosts.remove("new-1", false);
});
