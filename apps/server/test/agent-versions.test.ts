/** The server's connection to agents of other versions: one before it works with a warning, farther ones are refused. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import {
  agentOperations,
  silentHello,
  type Finding,
  type Hello,
  type HostFacts,
  type HostLoad,
} from "@godwit/contract";
import { sharedContext } from "@godwit/client";
import { HttpServer, mount } from "@godwit/http";
import { createAuthority, createKeyAndRequest, issueCertificate, type KeyAndCertificate } from "@godwit/pki";
import type { SeenHost, Store } from "@godwit/store";
import { ownHello, sleep } from "@godwit/system";
import { pino } from "pino";
import { beforeAll, expect, test } from "vitest";
import { HostLink } from "../src/hosts/host-link.ts";
import { ReportIntake } from "../src/hosts/report-intake.ts";
import { version1Operations } from "../src/hosts/version-1.ts";

const log = pino({ level: "silent" });
const port = 18_470;
let authority: KeyAndCertificate;

async function signed(name: string, unit: "host" | "server") {
  const { requestPem, keyPem } = await createKeyAndRequest(name);
  const issue = { authority, requestPem, commonName: name, unit, validDays: 1 };
  return { caPem: authority.certificatePem, certificatePem: await issueCertificate(issue), keyPem };
}

interface Written {
  /** Resolves when the database writes reports. */
  database: Promise<unknown>;
  course: string[];
  lost: string[];
  facts: HostFacts[];
  load: HostLoad[];
  alarms: Finding[];
}

/** An agent that tells `hello` of itself and has the operations given, and the server's connection to it. */
async function connect(
  hello: Hello,
  mountMore: (agent: HttpServer) => void,
): Promise<{ agent: HttpServer; link: HostLink; written: Written } & AsyncDisposable> {
  const agent = new HttpServer({ tls: await signed("b", "host"), log, hello });
  const events = async function* ({ signal }: { signal: AbortSignal }) {
    await once(signal, "abort");
    yield* [];
  };
  const { events: operation } = agentOperations;
  mount(agent, { events: operation }, { events }, anybody);
  mountMore(agent);
  await agent.listen([{ host: "127.0.0.1", port }]);
  const written: Written = {
    ...{ database: Promise.resolve(), course: [], lost: [], facts: [], load: [], alarms: [] },
  };
  const store = {
    hosts: {
      lost: async (_: string, reason: string) => {
        written.course.push("lost");
        written.lost.push(reason);
      },
      reported: async (_: string, facts: HostFacts) => {
        written.facts.push(facts);
        return facts;
      },
      saw: async (seen: SeenHost[]) => {
        written.course.push("saw begins");
        await written.database;
        written.course.push("saw ends");
        for (const { load, alarms } of seen) {
          written.load.push(load);
          written.alarms = alarms;
        }
      },
    },
    generation: { current: 1 },
    vms: { lastChange: 0, foldersOn: async () => [], ofReports: async () => [], some: async () => [] },
    pools: { baselinesOf: async () => new Map() },
  } as unknown as Store;
  const host = { name: "b", agentUrl: `https://127.0.0.1:${String(port)}`, accepts: () => true };
  const link = new HostLink(
    host,
    shownBy(await signed("godwit-server", "server")),
    store,
    new ReportIntake(store, log),
    async () => false,
    log,
  );
  link.start();
  return {
    ...{ agent, link, written },
    [Symbol.asyncDispose]: async () => {
      await link.stop();
      await agent.close();
    },
  };
}
const anybody = { adminToken: null, mayConnect: () => false };

beforeAll(async () => {
  authority = await createAuthority("test");
});

test("an agent of version 1 is used, with its one report as the two of today, and is to be upgraded", async () => {
  const file = new URL("data/version-1-report.json", import.meta.url);
  const recorded = JSON.parse(await readFile(file, "utf8")) as Record<string, unknown>;
  await using scene = await connect(silentHello, (agent) => {
    const report = () => recorded as never;
    mount(agent, version1Operations, { report }, anybody);
  });
  const { link, written } = scene;
  await expect.poll(() => written.load.length).toBeGreaterThan(0);
  expect(link.isUp).toBe(true);
  expect(link.isBootKnown).toBe(true);
  expect(written.facts[0]).toMatchObject({
    name: "b",
    agentVersion: "0.1.0",
    qemu: recorded.qemu,
    failures: [],
  });
  expect(written.load[0]).toMatchObject({
    memory: { availableBytes: (recorded.memory as { availableBytes: number }).availableBytes },
    cpu: null,
    failures: [{ part: "cpu" }],
  });
  expect(written.alarms.filter(({ code }) => code === "VERSIONS_DIFFER")).toMatchObject([
    {
      code: "VERSIONS_DIFFER",
      severity: "warning",
      host: "b",
      remedy: expect.stringMatching(/upgrade the agent of host b next/) as string,
    },
  ]);
  expect((await link.freshReport()).load.vms).toEqual(written.load[0]?.vms);
});

test("an agent with no version in common does not count as connected, and the reason says which to upgrade", async () => {
  const newer = { software: "9.1.0", protocol: { oldest: 3, newest: 4 } };
  await using scene = await connect(newer, () => undefined);
  const { link, written } = scene;
  await expect.poll(() => written.lost.length).toBeGreaterThan(0);
  expect(written.lost[0]).toMatch(
    /^The agent of host b runs Godwit 9\.1\.0 .* no version of the protocol in common$/,
  );
  expect(link.isUp).toBe(false);
  expect(link.versionFindings).toMatchObject([
    {
      code: "VERSION_UNSUPPORTED",
      severity: "error",
      remedy: expect.stringMatching(/^Upgrade the server first/) as string,
    },
  ]);
  await expect(link.freshFacts()).rejects.toMatchObject({ code: "VERSION_UNSUPPORTED" });
});

test("an agent of the server's own version has no finding", async () => {
  await using scene = await connect(ownHello, () => undefined);
  await expect.poll(() => scene.link.isUp).toBe(true);
  expect(scene.link.versionFindings).toEqual([]);
});

test("the boot of a host is not known before this server has read what it is, nor once it answers again before its events flow", async () => {
  const untold = await connect(ownHello, () => undefined);
  await expect.poll(() => untold.link.isUp).toBe(true);
  expect(untold.link.isBootKnown).toBe(false);
  await untold[Symbol.asyncDispose]();

  const recorded = await readFile(new URL("data/version-1-report.json", import.meta.url), "utf8");
  const { link, agent, written } = await connect(silentHello, (one) => {
    mount(one, version1Operations, { report: () => JSON.parse(recorded) as never }, anybody);
  });
  await expect.poll(() => link.isBootKnown).toBe(true);
  await agent.close();
  await expect.poll(() => written.lost).toHaveLength(1);
  // Nothing could be ordered meanwhile.
  expect(link.isBootKnown).toBe(true);
  const booted = new HttpServer({ tls: await signed("b", "host"), log, hello: silentHello });
  await booted.listen([{ host: "127.0.0.1", port }]);
  await expect.poll(() => link.isBootKnown).toBe(false);
  expect(link.isUp).toBe(false);
  await link.stop();
  await booted.close();
});

test("an agent whose connections are refused again and again counts as lost", async () => {
  const scene = await connect(ownHello, () => undefined);
  await expect.poll(() => scene.link.isUp).toBe(true);
  await scene.agent.close();
  await expect.poll(() => scene.written.lost).toHaveLength(1);
  expect(scene.link.isUp).toBe(false);
  await scene.link.stop();
});

test("a report that is still being written when its host is lost does not tell that the host has returned", async () => {
  const recorded = await readFile(new URL("data/version-1-report.json", import.meta.url), "utf8");
  const scene = await connect(silentHello, (agent) => {
    mount(agent, version1Operations, { report: () => JSON.parse(recorded) as never }, anybody);
  });
  const database = Promise.withResolvers<undefined>();
  scene.written.database = database.promise;
  await expect.poll(() => scene.written.course).toEqual(["saw begins"]);
  await scene.agent.close();
  await sleep(3000); // until it counts as lost
  database.resolve(undefined);
  await expect.poll(() => scene.written.course).toEqual(["saw begins", "saw ends", "lost"]);
  await scene.link.stop();
});

const shownBy = (identity: { caPem: string; certificatePem: string; keyPem: string }) => {
  const { caPem: ca, certificatePem: cert, keyPem: key } = identity;
  return { ...identity, context: sharedContext({ ca, cert, key }) };
};
