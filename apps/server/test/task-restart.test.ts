/**
 * The server is killed while a task runs, and started again. The agent here is a real HTTPS server that counts what it
 * is asked; database and processes are real too.
 */
import { fork, spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@godwit/client";
import { agentOperations, isEnded, serverOperations, type Task, type Vm, type VmId } from "@godwit/contract";
import { HttpServer, mount, type Handlers } from "@godwit/http";
import { createKeyAndRequest } from "@godwit/pki";
import { PrivatePostgres, Store } from "@godwit/store";
import { ensureUser } from "@godwit/system";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { dataPaths, initServer, serverName } from "../src/index.ts";

const program = fileURLToPath(new URL("fixtures/server.ts", import.meta.url));
const serverPort = 40_000 + (process.pid % 10_000);
const agentPort = 50_000 + (process.pid % 10_000);

let folder: string;
let postgres: PrivatePostgres;
let store: Store;
let server: ChildProcess;
let api: Client<typeof serverOperations>;
let agent: HttpServer;
let startAgent: () => Promise<void>;
/** How often the agent was asked to stop a VM, and what happens before it answers. */
let stops = 0;
let beforeAnswer: () => Promise<void> = () => Promise.resolve();

const startServer = async () => {
  const { host = "", user = "", database = "" } = postgres.connection as Record<string, string>;
  const url = `postgres://${user}@/${database}?host=${encodeURIComponent(host)}`;
  server = fork(program, [join(folder, "data"), String(serverPort), url]);
  await once(server, "message");
};
const killServer = async () => {
  server.kill("SIGKILL");
  await once(server, "exit");
};

beforeAll(async () => {
  await ensureUser("godwit-db");
  folder = await mkdtemp(join(tmpdir(), "godwit-tasks-"));
  await chmod(folder, 0o755); // the database's user passes through
  postgres = await PrivatePostgres.start(
    { folder: join(folder, "database"), socketFolder: join(folder, "socket"), user: "godwit-db" },
    () => undefined,
  );
  store = await Store.open(postgres.connection);
  await initServer(join(folder, "data"));
  await startServer();
  const paths = dataPaths(join(folder, "data"));
  const ca = await readFile(paths.caCertificate, "utf8");
  api = new Client(serverOperations, {
    baseUrl: `https://127.0.0.1:${String(serverPort)}`,
    tls: { ca, servername: serverName, unit: "server" },
    token: (await readFile(paths.adminToken, "utf8")).trim(),
  });

  const { token } = await api.call("hostTokenCreate", { body: {} });
  const [own, migration] = [await createKeyAndRequest("a"), await createKeyAndRequest("a")];
  const joined = await api.call("hostJoin", {
    body: {
      ...{ token, name: "a", agentUrl: `https://127.0.0.1:${String(agentPort)}` },
      certificateRequest: own.requestPem,
      migrationCertificateRequest: migration.requestPem,
    },
  });
  const handlers: Partial<Handlers<typeof agentOperations>> = {
    events: async function* ({ signal }) {
      await once(signal, "abort");
      yield* [];
    },
    vmStop: async () => {
      stops += 1;
      await beforeAnswer();
      return { stopped: true, leaseKept: null };
    },
  };
  startAgent = async () => {
    const tls = { certificatePem: joined.certificate, keyPem: own.keyPem, caPem: joined.caCertificate };
    agent = new HttpServer({ tls, log: pino({ level: "silent" }) });
    const callers = { adminToken: null, mayConnect: () => false };
    mount(agent, agentOperations, handlers as Handlers<typeof agentOperations>, callers);
    await agent.listen([{ host: "127.0.0.1", port: agentPort }]);
  };
  await startAgent();
});
afterAll(async () => {
  server.kill("SIGKILL");
  await api.close();
  await agent.close();
  await store.close();
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
});

/** A VM that is said to run on host a; the task that stops it has started when this resolves. */
async function stopVm(name: string): Promise<Task> {
  const vm: Vm = {
    ...{ version: 1, id: randomUUID() as VmId, name, datastore: "shared", memoryMib: 64, vcpus: 1 },
    ...{ cpu: { model: "Nehalem-v2", add: [], remove: [] }, machine: "pc-q35-7.2", disks: [], nics: [] },
  };
  await store.vms.enter(vm, { host: "a", state: "running" });
  await expect
    .poll(async () => (await api.call("hostShow", { params: { host: "a" } })).state, { timeout: 20_000 })
    .toBe("connected");
  stops = 0;
  return await api.call("vmStop", { params: { vm: name }, body: { graceSeconds: 0 } });
}
/** Keeps everyone from writing to the table of VMs; it can be read. */
function lockingVms(): { take: () => Promise<void>; release: () => Promise<void> } {
  const { host = "", user = "", database = "" } = postgres.connection as Record<string, string>;
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
  await expect.poll(async () => isEnded(await store.tasks.show(id)), { timeout: 30_000 }).toBe(true);
  return await store.tasks.show(id);
};

test("a server that is killed between two steps does not repeat the first one", async () => {
  const lock = lockingVms();
  // From the agent's answer on the VM's row cannot be written: the task stands between the two.
  beforeAnswer = async () => {
    await lock.take();
  };
  const task = await stopVm("web-1");
  await expect.poll(() => store.tasks.stepResult(task.id, "stop"), { timeout: 20_000 }).not.toBeNull();
  await killServer();
  expect(await store.tasks.show(task.id)).toMatchObject({ state: "running" });
  await lock.release();
  await startServer();
  expect(await ended(task)).toMatchObject({ state: "succeeded", error: null });
  expect(stops).toBe(1);
  expect(await store.vms.show("web-1")).toMatchObject({ state: "stopped" });
});

test("a server that is killed in a step asks again, and a host that is away then is waited for", async () => {
  const asked = Promise.withResolvers<undefined>();
  beforeAnswer = async () => {
    asked.resolve(undefined);
    if (stops === 1) await new Promise(() => undefined); // the answer is lost with the server
  };
  const task = await stopVm("web-2");
  await asked.promise;
  await killServer();
  await agent.close();
  await startServer();
  await expect
    .poll(async () => (await store.tasks.show(task.id)).waitingFor, { timeout: 20_000 })
    .toMatchObject({ code: "HOST_NOT_RESPONDING", host: "a" });
  await startAgent();
  expect(await ended(task)).toMatchObject({ state: "succeeded", waitingFor: null });
  expect(stops).toBe(2);
  expect(await store.vms.show("web-2")).toMatchObject({ state: "stopped" });
});
