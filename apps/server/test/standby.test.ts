/**
 * Hosts that are powered off and on: no VM's host goes off, also when the server was killed in between; an update wakes what its pool has powered off.
 * The agents here are real HTTPS servers; server and database are real, and hosts wake by a packet that nobody hears.
 */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { isEnded, type HostLoad, type Task } from "@godwit/contract";
import { until } from "@godwit/system";
import { afterAll, beforeAll, expect, test } from "vitest";
import { reportOfVersion1, version1ReportSchema } from "../src/hosts/version-1.ts";
import { ServerAndAgents } from "./fixtures/server-and-agents.ts";

let cluster: ServerAndAgents;
const powerOffs: string[] = [];
const commands: string[] = [];
/** Of every host. */
let vms: HostLoad["vms"] = [];
const asked = Promise.withResolvers<undefined>();
const controller = { kind: "wol", mac: "3c:ec:ef:12:34:56", broadcast: "127.0.0.1" } as const;
const wait = { everyMs: 100, limitMs: 60_000 };

async function startAgent(host: string): Promise<void> {
  const recorded = await readFile(new URL("data/version-1-report.json", import.meta.url), "utf8");
  const { facts, load } = reportOfVersion1(version1ReportSchema.parse(JSON.parse(recorded)));
  await cluster.startAgent(host, {
    events: async function* ({ signal }) {
      await once(signal, "abort");
      yield* [];
    },
    facts: () => ({ ...facts, name: host, bootId: "1", updates: { commands: true } }),
    load: () => ({ ...load, name: host, vms, reportedAt: new Date().toISOString() }),
    membersPut: ({ body }) => ({ generation: body.generation }),
    hostPowerOff: async ({ body }) => {
      powerOffs.push(host);
      asked.resolve(undefined);
      await new Promise(() => undefined); // the answer is lost with the server
      return body;
    },
    commandStart: ({ body }) => {
      commands.push(host);
      return { state: "ended", exitCode: 0, output: body.command };
    },
  });
  await until(
    async () => (await shown(host)).state === "connected" && (await shown(host)).load !== null,
    wait,
  );
}
const shown = async (host: string) => await cluster.api.call("hostShow", { params: { host } });
const ended = async ({ id }: Task): Promise<Task> => {
  const task = await until(async () => {
    const now = await cluster.store.tasks.show(id);
    return isEnded(now) ? now : null;
  }, wait);
  if (task === null) throw new Error("the task does not end");
  return task;
};
const update = async (hosts?: string[]) =>
  await cluster.api.call("poolUpdate", {
    params: { pool: "east" },
    body: { command: "true", ...(hosts === undefined ? {} : { hosts }) },
  });

beforeAll(async () => {
  cluster = await ServerAndAgents.start(["a", "b"]);
  for (const host of ["a", "b"]) {
    await startAgent(host);
    await cluster.api.call("hostPowerSet", { params: { host }, body: { controller, wakeSeconds: 60 } });
  }
  await cluster.api.call("poolCreate", { body: { name: "east", hosts: ["a", "b"] } });
});
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
});

test("a server that is killed while a host is to go off looks again whether a VM runs there, and does not ask again then", async () => {
  const params = { host: "a" };
  await ended(await cluster.api.call("hostMaintenanceEnter", { params, body: {} }));
  const task = await cluster.api.call("hostPowerOff", { params, body: { force: false } });
  await asked.promise;
  await cluster.killServer();
  const none = { accelerator: null, startedAt: null, pauseReason: null };
  const runtime = {
    id: "22222222-2222-4222-8222-222222222222",
    name: "web-1",
    state: "running",
    pid: 7,
    memoryMib: 64,
  };
  vms = [{ ...none, ...runtime, usedCpus: null, residentBytes: null } as HostLoad["vms"][number]];
  await cluster.startServer();
  expect(await ended(task)).toMatchObject({
    state: "failed",
    error: { code: "HOST_RUNS_VMS", details: { host: "a", vms: ["web-1"] } },
  });
  expect(powerOffs).toEqual(["a"]);
  expect(await shown("a")).toMatchObject({ power: { state: null }, maintenance: "on" });
  vms = [];
});

test("a host that an operator has powered off is refused in an update; one that its pool has is woken first and takes VMs afterwards", async () => {
  await cluster.stopAgent("a");
  await until(async () => (await shown("a")).state !== "connected", wait);
  await cluster.store.powers.enter("a", "standby", null);
  const findings = async () => {
    const plan = await cluster.api.call("poolUpdateCheck", {
      params: { pool: "east" },
      body: { command: "true" },
    });
    return plan.hosts.find(({ host }) => host === "a")?.findings.map(({ code }) => code);
  };
  expect(await findings()).toEqual(["HOST_IN_STANDBY"]);
  await expect(update()).rejects.toMatchObject({
    code: "POOL_UPDATE_REFUSED",
    problem: { details: { hosts: ["a"] } },
  });

  await cluster.api.call("poolConsolidationSet", {
    params: { pool: "east" },
    body: { policy: { minHosts: 1, targetPercent: 80, stableSeconds: 1800 } },
  });
  await cluster.store.powers.enter("a", null, null);
  await cluster.store.powers.enter("a", "standby", "east");
  expect(await findings()).toEqual(["HOST_WOKEN_FOR_UPDATE"]);
  const task = await update(["a", "b"]);
  const wakes = async () =>
    (await cluster.store.tasks.unfinished()).some(
      ({ kind, parent }) => kind === "host.powerOn" && parent === task.id,
    );
  expect(await until(wakes, wait)).toBe(true);
  // The server that takes it over does not wake it a second time.
  await cluster.killServer();
  await cluster.startServer();
  await startAgent("a");
  expect(await ended(task)).toMatchObject({ state: "succeeded", result: { updated: ["a", "b"] } });
  expect(commands).toEqual(["a", "b"]);
  const parts = await cluster.store.tasks.childrenOf(task.id);
  expect(parts.filter(({ kind }) => kind === "host.powerOn")).toHaveLength(1);
  expect(await shown("a")).toMatchObject({ state: "connected", maintenance: "off", power: { state: null } });
});

test("a host that does not wake stops the update, and is named with the reason", async () => {
  await cluster.api.call("hostPowerSet", { params: { host: "a" }, body: { controller, wakeSeconds: 3 } });
  await cluster.stopAgent("a");
  await until(async () => (await shown("a")).state !== "connected", wait);
  await cluster.store.powers.enter("a", "standby", "east");
  await cluster.store.hosts.setMaintenance("a", "on", null);
  const task = await ended(await update(["a", "b"]));
  expect(task).toMatchObject({
    state: "failed",
    error: { code: "POOL_UPDATE_STOPPED", details: { host: "a", left: ["b"] } },
  });
  expect(task.error?.detail).toContain(
    "host a: it could not be powered on: Host a was powered on and did not come back",
  );
  expect(commands).toHaveLength(2);
});
