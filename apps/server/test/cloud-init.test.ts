/**
 * What a new VM's guest is to be told may be secret: it reaches the host that makes the VM, and is in no task, event or row.
 * The agent here is a real HTTPS server; the server is a process of its own that is killed.
 */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { isEnded, type CloudInit, type Task, type Vm, type VmId } from "@godwit/contract";
import { run, until } from "@godwit/system";
import { afterAll, beforeAll, expect, test } from "vitest";
import { reportOfVersion1, version1ReportSchema } from "../src/hosts/version-1.ts";
import { ServerAndAgents, type AgentHandlers } from "./fixtures/server-and-agents.ts";

const secret = "correct-horse-battery";
const cloudInit: CloudInit = {
  hostname: "web-1.example.org",
  userData: `#cloud-config\npassword: ${secret}\n`,
};
let cluster: ServerAndAgents;
let datastore: string;
/** What the agent was asked, and what it answers once it is to. */
const asked: { id: VmId; cloudInit?: CloudInit | null | undefined }[] = [];
let answer: (vm: Vm) => Promise<Vm> = (vm) => Promise.resolve(vm);

beforeAll(async () => {
  cluster = await ServerAndAgents.start(["a"]);
  const recorded = await readFile(new URL("data/version-1-report.json", import.meta.url), "utf8");
  const { facts, load } = reportOfVersion1(version1ReportSchema.parse(JSON.parse(recorded)));
  datastore = facts.datastores[0]?.name ?? "";
  const handlers: AgentHandlers = {
    events: async function* ({ signal }) {
      await once(signal, "abort");
      yield* [];
    },
    facts: () => ({ ...facts, name: "a" }),
    load: () => ({ ...load, name: "a" }),
    membersPut: ({ body }) => ({ generation: body.generation }),
    vmCreate: async ({ body }) => {
      asked.push({ id: body.id, cloudInit: body.cloudInit });
      const { name, memoryMib, vcpus } = body.description;
      return await answer({
        ...{ version: 1, id: body.id, name, datastore, memoryMib, vcpus, disks: [], nics: [] },
        ...{ cpu: { model: "Nehalem-v2", add: [], remove: [] }, machine: "pc-q35-7.2" },
      });
    },
  };
  await cluster.startAgent("a", handlers);
  const hasReported = async () => {
    const { state, facts, load: seen } = await cluster.api.call("hostShow", { params: { host: "a" } });
    return state === "connected" && facts !== null && seen !== null;
  };
  await until(hasReported, { everyMs: 200, limitMs: 60_000 }); // nothing tells a test of it
});
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
});

const create = async (name: string, more: Pick<Vm, "cdroms"> = {}) =>
  await cluster.api.call("vmCreate", {
    body: {
      description: {
        ...{ name, datastore, memoryMib: 64 },
        cdroms: more.cdroms?.map((drive) => ({ name: drive.name })),
      },
      cloudInit,
    },
  });
const ended = async ({ id }: Task): Promise<Task> => {
  await expect.poll(async () => isEnded(await cluster.store.tasks.show(id)), { timeout: 60_000 }).toBe(true);
  return await cluster.store.tasks.show(id);
};
/** All that the database holds, as text. */
async function dump(): Promise<string> {
  const { host = "", user = "", database = "" } = cluster.postgres.connection as Record<string, string>;
  const { stdout } = await run("pg_dump", ["-h", host, "-U", user, "-d", database, "--data-only"], {
    what: "test",
  });
  return stdout;
}

test("the host is told, with a drive for it; the task, its events and the database have the figures only", async () => {
  const task = await create("web-1");
  expect(await ended(task)).toMatchObject({
    state: "succeeded",
    request: {
      cloudInit: { hostname: "web-1.example.org", sshKeys: 0, userDataBytes: 46, networkConfigBytes: 0 },
      description: { cdroms: [{ name: "cloud-init", iso: "web-1/cloud-init.iso", bus: "virtio-scsi" }] },
    },
  });
  expect(asked).toMatchObject([{ cloudInit }]);
  const kept = await dump();
  expect(kept).toContain("userDataBytes");
  expect(kept).not.toContain(secret);
});

test("a description that has no room for the drive is refused before anything is done", async () => {
  const drive = (name: string) => ({ name, medium: null, connected: false });
  const full = ["a", "b", "c", "d"].map(drive);
  await expect(create("web-2", { cdroms: full })).rejects.toMatchObject({ code: "SEED_DRIVE_TAKEN" });
  await expect(create("web-2", { cdroms: [drive("cloud-init")] })).rejects.toMatchObject({
    code: "SEED_DRIVE_TAKEN",
  });
});

test("a server that is killed has lost it: it asks for the VM that the host may be making, and makes none without it", async () => {
  const { promise: reached, resolve: reach } = Promise.withResolvers<undefined>();
  asked.length = 0;
  answer = async (vm) => {
    reach(undefined);
    if (asked.length === 1) await new Promise(() => undefined); // the answer is lost with the server
    return vm;
  };
  const task = await create("web-3");
  await reached;
  await cluster.killServer();
  await cluster.startServer();
  expect(await ended(task)).toMatchObject({ state: "succeeded" });
  expect(asked.map((one) => one.cloudInit)).toEqual([cloudInit, null]);
});
