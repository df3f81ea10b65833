/** A host's two reports: what could not be read is told as such, and storage that hangs holds up nothing else. */
import {
  hostFactsSchema,
  hostLoadSchema,
  GodwitError,
  type DatastoreId,
  type UnlearnedMac,
  type VmId,
} from "@godwit/contract";
import type { Hypervisor } from "@godwit/hypervisor";
import { Datastore } from "@godwit/storage";
import { pino } from "pino";
import { expect, test, vi } from "vitest";
import { agentConfigSchema } from "../../src/config.ts";
import { busyTicks } from "../../src/host/cpu.ts";
import { Datastores, type DatastoreSources } from "../../src/host/datastores.ts";
import { EventLog } from "../../src/event-log.ts";
import { FactsWatch } from "../../src/host/facts-watch.ts";
import { HostFactsReader } from "../../src/host/facts.ts";
import { HostCpu } from "../../src/qemu/host-cpu.ts";
import { memoryLoad } from "../../src/host/memory.ts";
import { HostLoadReader } from "../../src/host/load.ts";
import { processTicks } from "../../src/host/vms.ts";

// Other tests make and remove interfaces of this machine meanwhile.
vi.mock(import("@godwit/network"), async (original) => ({
  ...(await original()),
  linkFacts: () => Promise.resolve([{ name: "lan", addresses: ["10.0.0.1"], bitsPerSecond: 1e9, mtu: 1500 }]),
}));

const id = "33333333-3333-4333-8333-333333333333" as DatastoreId;
const qemu = {
  binary: "qemu-system-x86_64",
  version: "10.0.2",
  accelerator: "tcg",
  acceleratorReason: "",
  machines: [],
  cpuModels: [],
  availableFeatures: [],
};

/** Storage whose answers a test decides. */
function storage(...names: string[]) {
  const looks = vi.fn<(name: string) => Promise<Datastore>>();
  looks.mockImplementation((name) =>
    Promise.resolve({
      id,
      config: { name, path: `/${name}`, shared: true },
      space: () => Promise.resolve({ totalBytes: 100, freeBytes: 40 }),
    } as unknown as Datastore),
  );
  const sources: DatastoreSources = {
    datastores: {
      all: names.map((name) => ({
        ...{ name, shared: true, source: { kind: "directory" as const, path: `/${name}` } },
        origin: "configuration" as const,
      })),
    },
    environment: { datastore: looks, blockStore: () => Promise.resolve(null) },
    lockspaces: { leasesOf: () => null },
  };
  return { looks, datastores: new Datastores(sources) };
}
const unavailable = (reason: string) =>
  GodwitError.of("DATASTORE_UNAVAILABLE", { datastore: "one", host: "a", reason });

test("a datastore that is away keeps its id, and its load says why there is no figure", async () => {
  const { looks, datastores } = storage("one");
  looks.mockRejectedValueOnce(unavailable("/one: ENOENT"));
  expect(await datastores.facts()).toMatchObject([{ name: "one", id: null, path: "/one", shared: true }]);
  expect(await datastores.load()).toMatchObject([{ space: { freeBytes: 40 }, reason: null }]);
  looks.mockRejectedValue(unavailable("/one: EIO"));
  expect(await datastores.facts()).toMatchObject([{ id }]);
  expect(await datastores.load()).toEqual([{ name: "one", space: null, reason: "/one: EIO", leases: null }]);
});

test("storage that hangs is asked once, told as unavailable, and does not hold up the others", async () => {
  vi.useFakeTimers();
  try {
    const { looks, datastores } = storage("one", "two");
    const hangs = Promise.withResolvers<Datastore>();
    looks.mockImplementationOnce(() => hangs.promise);
    for (const _ of [1, 2, 3]) {
      const load = datastores.load();
      await vi.advanceTimersByTimeAsync(3000);
      expect(await load).toMatchObject([
        { name: "one", space: null, reason: "it did not answer within 3 s" },
        { name: "two", space: { freeBytes: 40 } },
      ]);
    }
    expect(looks.mock.calls.filter(([name]) => name === "one")).toHaveLength(1);
    hangs.reject(unavailable("/one: ESTALE"));
    await vi.advanceTimersByTimeAsync(1);
    expect(await datastores.load()).toMatchObject([{ space: { freeBytes: 40 }, reason: null }, {}]);
  } finally {
    vi.useRealTimers();
  }
});

async function factsReader() {
  const read = vi.fn<() => Promise<unknown>>(() => Promise.resolve(qemu));
  const hypervisor = { facts: read } as unknown as Hypervisor;
  const reader = new HostFactsReader({
    furtherLinks: { problem: null },
    config: agentConfigSchema.parse({
      name: "a",
      listen: { address: "127.0.0.1" },
      server: { url: "https://127.0.0.1:1" },
    }),
    hypervisor,
    cpu: await HostCpu.open(undefined, hypervisor, pino({ level: "silent" })),
    datastores: storage("one").datastores,
    hostDatastores: { refused: [] },
    networks: { all: [] },
    switches: { facts: () => Promise.resolve([]), refused: [] },
    setAside: { all: [] },
    environment: {
      portSecurityProblem: () => Promise.resolve(null),
      users: { problem: () => Promise.resolve(null) },
    },
  });
  return { read, reader };
}

test("what a host is stays what it was when it cannot be read, and the reason is told", async () => {
  const { read, reader } = await factsReader();
  const facts = await reader.read();
  expect(hostFactsSchema.parse(facts)).toEqual(facts);
  expect(facts.memory.totalBytes).toBeGreaterThan(2 ** 20);
  expect(facts).toMatchObject({ qemu, failures: [], migration: null });
  read.mockRejectedValueOnce(new Error("the binary is being replaced."));
  expect(await reader.read()).toMatchObject({
    qemu,
    failures: [{ part: "qemu", reason: "the binary is being replaced" }],
  });
});

test("a part that was never read is no fact: the report fails", async () => {
  const { read, reader } = await factsReader();
  read.mockRejectedValueOnce(new Error("QEMU does not start"));
  await expect(reader.read()).rejects.toThrow("QEMU does not start");
});

test("a change of what the host is is told once, and that time has passed is none", async () => {
  const { read, reader } = await factsReader();
  const events = new EventLog();
  const before = events.lastId;
  const watch = new FactsWatch(() => reader.read(), events, pino({ level: "silent" }));
  await watch.look();
  await watch.look();
  read.mockResolvedValue({ ...qemu, version: "10.0.3" });
  await watch.look();
  await watch.look();
  const last = { datastore: "one", state: "joined", reason: null } as const;
  events.append("host.leasesChanged", { kind: "host", id: "a" }, last);
  const told: string[] = [];
  for await (const { type } of events.after(before, new AbortController().signal)) {
    if (type === "host.leasesChanged") break;
    told.push(type);
  }
  expect(told).toEqual(["host.factsChanged"]);
});

test("a load tells of memory, CPUs, links and VMs, with rates as soon as there are two readings", async () => {
  const vm = {
    id: "22222222-2222-4222-8222-222222222222" as VmId,
    name: "web-1",
    state: "running" as const,
    pid: process.pid,
    accelerator: "tcg" as const,
    startedAt: null,
    memoryMib: 64,
    pauseReason: null,
  };
  const ended = { ...vm, state: "lost" as const, pid: null };
  const departed = { unlearned: [] as UnlearnedMac[] };
  const reader = new HostLoadReader({
    config: agentConfigSchema.parse({
      name: "a",
      listen: { address: "127.0.0.1" },
      server: { url: "https://127.0.0.1:1" },
    }),
    networks: { all: [] },
    datastores: storage("one").datastores,
    processes: { runtimes: [vm, ended], present: [], of: () => undefined, stateOf: () => undefined },
    memory: { load: memoryLoad },
    health: { now: { findings: [], sources: [{ name: "sensors", absent: null }] } },
    watchers: { silentSinceMs: (id) => (id === vm.id ? null : undefined) },
    departed,
  });
  const beganAt = performance.now();
  const first = await reader.read();
  expect(hostLoadSchema.parse(first)).toEqual(first);
  expect(first).not.toHaveProperty("unlearnedMacs");
  expect(first).toMatchObject({ failures: [], cpu: { usedCpus: null }, portGroups: [] });
  expect(first.memory?.availableBytes).toBeGreaterThan(2 ** 20);
  expect(first.vms[0]?.usedCpus).toBe(null);
  expect(first.vms[0]?.residentBytes).toBeGreaterThan(2 ** 20);
  expect(first.vms[1]).toMatchObject({ usedCpus: null, residentBytes: null });
  // Busy for so much processor time, which a machine that is busy itself gives in its own time.
  const began = process.cpuUsage();
  while (process.cpuUsage(began).user < 500_000);
  departed.unlearned.push({
    ...{ id: vm.id, mac: "52:54:00:00:00:01", portGroup: "office", to: "b", since: new Date().toISOString() },
  });
  const second = await reader.read();
  // At least: between the two readings is less time than around them.
  const busy = 500 / (performance.now() - beganAt);
  expect(hostLoadSchema.parse(second).unlearnedMacs).toEqual(departed.unlearned);
  expect(second.vms[0]?.usedCpus).toBeGreaterThan(busy / 2);
  expect(second.cpu?.usedCpus).toBeGreaterThanOrEqual((second.vms[0]?.usedCpus ?? 0) * 0.5);
});

test("processor time is read from the right fields", () => {
  expect(busyTicks("cpu  1 2 4 1000 2000 8 16 32 64 128\ncpu0 1 2 4 1000 2000 8 16 32 64 128\n")).toBe(63);
  expect(() => busyTicks("intr 5")).toThrow("no line of all CPUs");
  const fields = ["S", ...Array.from({ length: 49 }, (_, index) => String(index + 4))];
  expect(processTicks(`7 (a ) b) ${fields.join(" ")}`)).toBe(14 + 15);
});
