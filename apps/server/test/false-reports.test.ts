/**
 * A host that has joined, with a certificate of its own, reports another host's name, another host's VM, or figures that
 * are none; floods the server with events, or breaks off its event stream as often as it is opened.
 */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import {
  agentOperations,
  hostFactsSchema,
  hostLoadSchema,
  type HostFacts,
  type HostLoad,
  type Lease,
  type VmView,
} from "@godwit/contract";
import { HttpServer, mount, type Handlers } from "@godwit/http";
import { createAuthority, createKeyAndRequest, issueCertificate, type KeyAndCertificate } from "@godwit/pki";
import type { HostRow, SeenHost, Store } from "@godwit/store";
import { sleep } from "@godwit/system";
import { pino } from "pino";
import { beforeAll, expect, test } from "vitest";
import { HostLinks } from "../src/hosts/host-links.ts";
import { reportOfVersion1, version1ReportSchema } from "../src/hosts/version-1.ts";

const log = pino({ level: "silent" });
const ports = { a: 18_474, b: 18_475 } as const;
let authority: KeyAndCertificate;
let report: { facts: HostFacts; load: HostLoad };

async function signed(name: string, unit: "host" | "server") {
  const { requestPem, keyPem } = await createKeyAndRequest(name);
  const member = { id: name, number: 1 };
  const issue = { authority, requestPem, commonName: name, unit, validDays: 1, member };
  return { caPem: authority.certificatePem, certificatePem: await issueCertificate(issue), keyPem };
}

beforeAll(async () => {
  authority = await createAuthority("test");
  const recorded = await readFile(new URL("data/version-1-report.json", import.meta.url), "utf8");
  report = reportOfVersion1(version1ReportSchema.parse(JSON.parse(recorded)));
});

/** An agent of host a that is what a test makes of it. @param load the text of the answer */
async function rawAgent(
  load: () => string,
  events: Handlers<typeof agentOperations>["events"],
): Promise<HttpServer> {
  const agent = new HttpServer({ tls: await signed("a", "host"), log });
  const { load: operation, ...others } = agentOperations;
  const handlers = {
    events,
    facts: () => ({ ...report.facts, name: "a" }),
    membersPut: ({ body }: { body: unknown }) => body,
  };
  mount(agent, others, handlers as unknown as Handlers<typeof others>, {
    adminToken: null,
    mayConnect: () => false,
  });
  agent.app.get(operation.path, (_, reply) => reply.type("application/json").send(load()));
  await agent.listen([{ host: "127.0.0.1", port: ports.a }]);
  return agent;
}

/** The server's connection to it; what it writes down is told. */
async function connected() {
  const lost: string[] = [];
  const alarms: string[][] = [];
  const list = async () => [
    {
      name: "a",
      agentUrl: `https://127.0.0.1:${String(ports.a)}`,
      memberId: "a",
      certificateInUse: 1,
      certificateEndsAt: null,
    },
  ];
  const store = {
    hosts: {
      ...{ list, connections: list },
      lost: async (_: string, reason: string) => lost.push(reason),
      reported: async (_: string, read: HostFacts) => read,
      saw: async (seen: SeenHost[]) => alarms.push(seen.flatMap((one) => one.alarms.map(({ code }) => code))),
    },
    members: { list: async () => ({ generation: 1, hosts: [] }) },
    generation: { current: 1 },
    vms: { lastChange: 0, foldersOn: async () => [], ofReports: async () => [], some: async () => [] },
    pools: { baselinesOf: async () => new Map() },
  } as unknown as Store;
  const links = new HostLinks(await signed("godwit-server", "server"), store, log, 30);
  await links.start();
  return { links, lost, alarms };
}

const right = () => JSON.stringify({ ...report.load, name: "a" });

test("a host whose event stream breaks off as often as it is opened counts as lost, though it answers, until the stream stands", async () => {
  let breaks = true;
  const agent = await rawAgent(right, async function* ({ signal }) {
    if (!breaks) await once(signal, "abort");
    yield* [];
  });
  const { links, lost, alarms } = await connected();
  try {
    await expect.poll(() => lost).toEqual([expect.stringContaining("event stream")]);
    const taken = alarms.length;
    await sleep(1500);
    expect(alarms).toHaveLength(taken);
    breaks = false;
    await expect.poll(() => alarms.length).toBeGreaterThan(taken);
    expect(alarms.at(-1)).toContain("HOST_CONNECTION_UNSTEADY");
    expect(lost).toHaveLength(1);
  } finally {
    await links.stop();
    await agent.close();
  }
});

test("a host that floods the server with events, and reports figures that are none, counts as lost until they are some", async () => {
  let load = JSON.stringify({
    ...report.load,
    name: "a",
    memory: { availableBytes: -1, pressurePercent: 0 },
  });
  let asked = 0;
  const agent = await rawAgent(
    () => {
      asked += 1;
      return load;
    },
    async function* ({ signal }) {
      for (let id = 1; !signal.aborted; id += 1) {
        const subject = { kind: "vm", id: randomUUID() } as const;
        const at = new Date().toISOString();
        yield {
          id,
          at,
          type: "vm.stateChanged",
          subject,
          data: { name: "web-1", state: "running" },
        } as never;
        if (id % 100 === 0) await sleep(10);
      }
    },
  );
  const { links, lost, alarms } = await connected();
  try {
    await expect.poll(() => lost.length).toBe(1);
    expect(alarms).toEqual([]);
    load = right();
    await expect.poll(() => alarms.length).toBeGreaterThan(0);
    expect(lost).toHaveLength(1);
    expect(asked).toBeGreaterThan(2);
  } finally {
    await links.stop();
    await agent.close();
  }
});

test("figures that no host can have are refused, whichever they are", () => {
  const fits = (text: string) => hostLoadSchema.safeParse(JSON.parse(text)).success;
  const changed = (change: object) => JSON.stringify({ ...report.load, name: "a", ...change });
  const vm = {
    ...{ id: randomUUID(), name: "web-1", state: "running", pid: 1, accelerator: "kvm", startedAt: null },
    ...{ memoryMib: 64, usedCpus: null, residentBytes: null },
  };
  const cpu = { usedCpus: 1, loadAverage: [0, 0, 0], pressurePercent: null };
  expect(fits(changed({ vms: [vm], cpu }))).toBe(true);
  for (const change of [
    { memory: { availableBytes: -1, pressurePercent: null } },
    { memory: { availableBytes: 1e308, pressurePercent: null } },
    { cpu: { ...cpu, usedCpus: 1e308 } },
    { cpu: { ...cpu, loadAverage: [Number.NaN, 0, 0] } }, // null, in JSON
    { vms: [{ ...vm, memoryMib: -1 }] },
    { vms: [{ ...vm, name: "web\u001b[2J" }] },
    { vms: Array.from({ length: 10_001 }, () => vm) },
  ]) {
    expect([change, fits(changed(change))]).toEqual([change, false]);
  }
  expect(fits(changed({}).replace(/"availableBytes":\d+/, '"availableBytes":1e999'))).toBe(false);
});

/** An agent with a certificate of `host` that reports what it is told to. */
async function agentOf(host: "a" | "b", facts: HostFacts, load: HostLoad, lease: Lease): Promise<HttpServer> {
  const agent = new HttpServer({ tls: await signed(host, "host"), log });
  const handlers: Partial<Handlers<typeof agentOperations>> = {
    events: async function* ({ signal }) {
      await once(signal, "abort");
      yield* [];
    },
    facts: () => facts,
    load: () => load,
    vmLeaseShow: () => lease,
    membersPut: ({ body }) => body,
  };
  mount(agent, agentOperations, handlers as Handlers<typeof agentOperations>, {
    adminToken: null,
    mayConnect: () => false,
  });
  await agent.listen([{ host: "127.0.0.1", port: ports[host] }]);
  return agent;
}

test("a host is who its certificate says, and a VM is where its lease is", async () => {
  const id = randomUUID();
  const datastore = report.facts.datastores[0]?.name ?? "shared";
  const vm = {
    ...{ id, name: "web-1", state: "starting", host: "a" },
    config: { datastore, cpu: {} },
  } as unknown as VmView;
  const facts = hostFactsSchema.parse({ ...report.facts, name: "a" });
  facts.datastores = facts.datastores.map((one) => ({ ...one, shared: true }));
  const runs = {
    ...{ id: vm.id, name: vm.name, state: "running", pid: 4711, accelerator: "tcg", startedAt: null },
    ...{ memoryMib: 64, pauseReason: null, usedCpus: null, residentBytes: null },
  } as const;
  const load = hostLoadSchema.parse({ ...report.load, name: "a", vms: [runs] });
  const lease = (holder: string): Lease => ({
    ...{ vmId: vm.id, version: 1, fenced: [] },
    holders: [{ host: holder, mode: "EX", since: null, fresh: true, freeInMs: null }],
  });
  let truth = lease("a");
  // Both answer the same: only one of them is a.
  const a = await agentOf("a", facts, load, truth);
  const b = await agentOf("b", facts, load, lease("b"));

  const written: { host: string; facts: HostFacts }[] = [];
  const saw: { host: string; name: string }[] = [];
  const placed: string[] = [];
  const list = async () =>
    Object.entries(ports).map(([name, port]) => ({
      ...{
        name,
        agentUrl: `https://127.0.0.1:${String(port)}`,
        facts,
        load,
        memberId: name,
        certificateInUse: 1,
        certificateEndsAt: null,
      },
    })) as unknown as HostRow[];
  const store = {
    hosts: {
      list,
      connections: list,
      lost: async () => undefined,
      reported: async (host: string, read: HostFacts) => {
        written.push({ host, facts: read });
        return read;
      },
      saw: async (seen: SeenHost[]) => {
        for (const { name: host, load: read } of seen) saw.push({ host, name: read.name });
      },
    },
    members: { list: async () => ({ generation: 1, hosts: [] }) },
    generation: { current: 1 },
    vms: {
      lastChange: 0,
      foldersOn: async () => [],
      ofReports: async () => [{ ...vm, version: "1" }],
      some: async () => [vm],
      report: async (...[, , judge]: Parameters<Store["vms"]["report"]>) => {
        const place = judge(vm);
        if (place !== null) placed.push(place.host);
      },
    },
    pools: { baselinesOf: async () => new Map() },
  } as unknown as Store;
  const links = new HostLinks(await signed("godwit-server", "server"), store, log, 30);
  try {
    await links.start();
    await expect.poll(() => [...new Set(saw.map(({ host }) => host))].sort()).toEqual(["a", "b"]);
    await expect.poll(() => placed).toEqual(["a"]);
    expect(saw.every(({ host, name }) => host === name)).toBe(true);
    expect(written.every(({ host, facts: read }) => host === read.name)).toBe(true);
    await links.of("b").freshReport();
    expect(placed).toEqual(["a"]);

    // Had it moved there, a would say so.
    truth = lease("b");
    await a.close();
    const told = await agentOf("a", facts, hostLoadSchema.parse({ ...load, vms: [] }), truth);
    await expect.poll(() => links.isUp("a")).toBe(true);
    links.of("b").refresh();
    await expect.poll(() => placed).toContain("b");
    await told.close();
  } finally {
    await links.stop();
    await Promise.all([a.close(), b.close()]);
  }
});
