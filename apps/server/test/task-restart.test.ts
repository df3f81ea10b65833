/**
 * The server is killed while a task runs, and started again. The agent here is a real HTTPS server that counts what it
 * is asked; database and processes are real too.
 */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { isEnded, type Task, type Vm, type VmId } from "@godwit/contract";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ServerAndAgents } from "./fixtures/server-and-agents.ts";

let cluster: ServerAndAgents;
/** How often the agent was asked to stop a VM, and what happens before it answers. */
let stops = 0;
let beforeAnswer: () => Promise<void> = () => Promise.resolve();

const startAgent = async () => {
  await cluster.startAgent("a", {
    events: async function* ({ signal }) {
      await once(signal, "abort");
      yield* [];
    },
    vmStop: async () => {
      stops += 1;
      await beforeAnswer();
      return { stopped: true, leaseKept: null };
    },
  });
};

beforeAll(async () => {
  cluster = await ServerAndAgents.start(["a"]);
  await startAgent();
});
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
});

/** A VM that is said to run on host a; the task that stops it has started when this resolves. */
async function stopVm(name: string): Promise<Task> {
  const vm: Vm = {
    ...{ version: 1, id: randomUUID() as VmId, name, datastore: "shared", memoryMib: 64, vcpus: 1 },
    ...{ cpu: { model: "Nehalem-v2", add: [], remove: [] }, machine: "pc-q35-7.2", disks: [], nics: [] },
  };
  await cluster.store.vms.enter(vm, { host: "a", state: "running" });
  await expect
    .poll(async () => (await cluster.api.call("hostShow", { params: { host: "a" } })).state)
    .toBe("connected");
  stops = 0;
  return await cluster.api.call("vmStop", { params: { vm: name }, body: { graceSeconds: 0 } });
}
/** Keeps everyone from writing to the table of VMs; it can be read. */
function lockingVms(): { take: () => Promise<void>; release: () => Promise<void> } {
  const { host = "", user = "", database = "" } = cluster.postgres.connection as Record<string, string>;
  const psql = spawn("psql", ["-h", host, "-U", user, "-d", database, "-qAtX"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  return {
    take: async () => {
      psql.stdin.write("begin; lock table vms in share row exclusive mode; select 'locked';\n");
      await once(psql.stdout, "data");
    },
    release: async () => {
      psql.stdin.end();
      await once(psql, "exit");
    },
  };
}

const ended = async ({ id }: Task): Promise<Task> => {
  await expect.poll(async () => isEnded(await cluster.store.tasks.show(id)), { timeout: 60_000 }).toBe(true);
  return await cluster.store.tasks.show(id);
};

test("a server that is killed between two steps does not repeat the first one", async () => {
  const lock = lockingVms();
  // From the agent's answer on the VM's row cannot be written: the task stands between the two.
  beforeAnswer = async () => {
    await lock.take();
  };
  const task = await stopVm("web-1");
  await expect.poll(() => cluster.store.tasks.stepResult(task.id, "stop")).not.toBeNull();
  await cluster.killServer();
  expect(await cluster.store.tasks.show(task.id)).toMatchObject({ state: "running" });
  await lock.release();
  await cluster.startServer();
  expect(await ended(task)).toMatchObject({ state: "succeeded", error: null });
  expect(stops).toBe(1);
  expect(await cluster.store.vms.show("web-1")).toMatchObject({ state: "stopped" });
});

test("a server that is killed in a step asks again, and a host that is away then is waited for", async () => {
  const asked = Promise.withResolvers<undefined>();
  beforeAnswer = async () => {
    asked.resolve(undefined);
    if (stops === 1) await new Promise(() => undefined); // the answer is lost with the server
  };
  const task = await stopVm("web-2");
  await asked.promise;
  await cluster.killServer();
  await cluster.stopAgent("a");
  await cluster.startServer();
  await expect
    .poll(async () => (await cluster.store.tasks.show(task.id)).waitingFor)
    .toMatchObject({ code: "HOST_NOT_RESPONDING", host: "a" });
  await startAgent();
  expect(await ended(task)).toMatchObject({ state: "succeeded", waitingFor: null });
  expect(stops).toBe(2);
  expect(await cluster.store.vms.show("web-2")).toMatchObject({ state: "stopped" });
});
