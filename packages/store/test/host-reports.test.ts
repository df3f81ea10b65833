/** What hosts report: kept as two reports, told as events where it changed, and shown in lists. */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { hostFactsSchema, hostLoadSchema, type VmId } from "@godwit/contract";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Store } from "../src/index.ts";
import { facts, load } from "./host-words.ts";
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
  expect(await store.vmUsers.of(name, vmId)).toMatchObject({ user, usedCpus: null });
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
  const admin = new pg.Client(database.connection);
  await admin.connect();
  await admin.query("create database earlier");
  await admin.end();
  const connection = { ...database.connection, database: "earlier" };
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
