/**
 * What the server costs with many hosts. The agents are simulated (bench/scale/agents.ts): they join, answer and report
 * over real TLS with certificates of their own, but no VM runs. Server, PostgreSQL and simulated agents share this
 * machine. Each size is measured with a new server, once all its hosts are connected and have reported.
 */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "@godwit/client";
import { serverOperations } from "@godwit/contract";
import { dataPaths, initServer, serverName } from "@godwit/server";
import { sleep, until } from "@godwit/system";
import pg from "pg";
import { numberOf, readOptions } from "../scripts/options.ts";
import { table } from "./measure/statistics.ts";
import type { AgentsOrder } from "./scale/agents.ts";
import { configOf, factsOfAll, hostName, vmName } from "./scale/report.ts";
import { cpuSecondsOf, familyCpuSeconds, rssMibOf } from "./scale/usage.ts";

const usage = `usage: node bench/scale.ts [--hosts 10,100,300,1000] [--vms 20] [--seconds 60] [--json FILE] [--profile FOLDER]

  --hosts LIST      how many hosts, one measurement each
  --vms N           VMs of each host
  --seconds N       how long each measurement takes
  --json FILE       the figures, for other programs
  --profile FOLDER  writes a profile of the server's processor time for each size`;

const values = readOptions(usage, {
  hosts: { type: "string", default: "10,100,300,1000" },
  vms: { type: "string", default: "20" },
  seconds: { type: "string", default: "60" },
  json: { type: "string" },
  profile: { type: "string" },
});
const sizes = values.hosts.split(",").map((text) => numberOf(usage, "--hosts", text));
const vms = numberOf(usage, "--vms", values.vms, 0);
const seconds = numberOf(usage, "--seconds", values.seconds);

/** A host that did not report for longer than this is stale: it reports every 15 s. */
const staleSeconds = 30;
const port = 18_443;
const processes = 3;
const callEveryMs = 50;
const connectLimitMs = 300_000;
/** More are not checked in one call: 1,000 VMs on 32 hosts are 32,000. */
const mostPairs = 100_000;
const checkLimitMs = 600_000;

interface Result {
  hosts: number;
  vms: number;
  /** Of the server's process alone. */
  cpuSeconds: number;
  /** Of its PostgreSQL, all processes. */
  postgresCpuSeconds: number;
  wallSeconds: number;
  /** Of the machine, over a minute at the measurement's end: what else it has to do. */
  loadAverage: number;
  /** The most that was seen. */
  rssMib: number;
  /** The most at one time. */
  staleHosts: number;
  /** Of single objects and of tasks, asked for during the measurement. */
  apiP99Ms: number;
  /** Calls that were answered with an error; their time counts too. */
  failedCalls: number;
  /** Of what lists show of all hosts, and of all VMs, in pages, after it. */
  hostListMs: number;
  vmListMs: number;
  /** Every VM against every host, in one call; null: they are too many pairs. */
  checkMs: number | null;
  /** From the first join until every host has reported. */
  connectSeconds: number;
  /** What the server and PostgreSQL needed for that. */
  connectCpuSeconds: number;
}

async function measure(hosts: number, folder: string): Promise<Result> {
  const dataFolder = join(folder, "server");
  await initServer(dataFolder);
  await using stack = new AsyncDisposableStack();
  const execArgv =
    values.profile === undefined ? [] : ["--cpu-prof", "--cpu-prof-dir", join(values.profile, String(hosts))];
  const server = child(stack, "scale/server.ts", [dataFolder, String(port)], execArgv);
  await reports(server, "ready");
  const paths = dataPaths(dataFolder);
  const caPem = await readFile(paths.caCertificate, "utf8");
  const api = new Client(serverOperations, {
    baseUrl: `https://127.0.0.1:${String(port)}`,
    tls: { ca: caPem, servername: serverName, unit: "server" },
    token: (await readFile(paths.adminToken, "utf8")).trim(),
  });
  stack.defer(() => api.close());
  const database = new pg.Client({ host: paths.databaseSocket, user: "godwit", database: "postgres" });
  await database.connect();
  stack.defer(() => database.end());

  const { pid = 0 } = server;
  const postmaster = Number((await readFile(join(paths.database, "postmaster.pid"), "utf8")).split("\n")[0]);
  const used = async () => ({
    server: await cpuSecondsOf(pid),
    postgres: await familyCpuSeconds(postmaster),
  });
  const start = performance.now();
  const agents: Promise<void>[] = [];
  for (let part = 0; part < processes; part++) {
    const own: AgentsOrder["hosts"] = [];
    for (let host = part; host < hosts; host += processes) {
      const { token } = await api.call("hostTokenCreate", { body: { validSeconds: 3600 } });
      own.push({ host, token });
    }
    if (own.length === 0) continue;
    const simulated = child(stack, "scale/agents.ts", [], []);
    const order: AgentsOrder = { serverUrl: api.baseUrl, serverName, caPem, hosts: own, vms };
    simulated.send(order);
    agents.push(reports(simulated, "joined"));
  }
  await Promise.all(agents);
  await enterVms(database, hosts);
  const count = async (where: string): Promise<number> => {
    const { rows } = await database.query<{ count: string }>(`select count(*) from hosts where ${where}`);
    return Number(rows[0]?.count);
  };
  const reported = async () => (await count("seen_at is not null and unreachable_reason is null")) === hosts;
  const isConnected = await until(reported, { everyMs: 500, limitMs: connectLimitMs });
  if (isConnected !== true) throw new Error("not all simulated hosts were connected in time");
  const connectSeconds = (performance.now() - start) / 1000;
  const connecting = await used();
  // Every host has reported its VMs since they were entered.
  await sleep(20_000);

  const before = await used();
  const began = performance.now();
  const calls: number[] = [];
  let rssMib = 0;
  let staleHosts = 0;
  let failedCalls = 0;
  let nextLook = began;
  while (performance.now() - began < seconds * 1000) {
    const call = callOf(api, calls.length, hosts).catch(() => {
      failedCalls++;
    });
    calls.push(await timed(() => call));
    if (performance.now() >= nextLook) {
      rssMib = Math.max(rssMib, await rssMibOf(pid));
      const stale = `seen_at < now() - interval '${String(staleSeconds)} s' or unreachable_reason is not null`;
      staleHosts = Math.max(staleHosts, await count(stale));
      nextLook += 2000;
    }
    await sleep(callEveryMs);
  }
  const wallSeconds = (performance.now() - began) / 1000;
  const after = await used();
  const result = {
    cpuSeconds: after.server - before.server,
    postgresCpuSeconds: after.postgres - before.postgres,
    loadAverage: loadavg()[0] ?? Number.NaN,
    connectCpuSeconds: connecting.server + connecting.postgres,
  };
  return {
    ...{ hosts, vms: hosts * vms, ...result, wallSeconds, rssMib, staleHosts, failedCalls, connectSeconds },
    apiP99Ms: calls.sort((a, b) => a - b)[Math.ceil(calls.length * 0.99) - 1] ?? Number.NaN,
    hostListMs: await timed(() => everyPage((query) => api.call("hostSummaryList", { query }))),
    vmListMs: await timed(() => everyPage((query) => api.call("vmSummaryList", { query }))),
    checkMs: hosts * vms * hosts > mostPairs ? null : await timed(() => checkAll(api, hosts)),
  };
}

/** As if they had been created: no simulated agent makes a disk. */
async function enterVms(database: pg.Client, hosts: number): Promise<void> {
  const features = (await factsOfAll()).cpu.report?.features ?? [];
  for (let host = 0; host < hosts; host++) {
    const rows = Array.from({ length: vms }, (_, vm) => configOf(host, vm, features));
    await database.query(
      `insert into vms (id, name, state, host, seen_at, config)
       select (config->>'id')::uuid, config->>'name', 'running', $1, now(), config
       from jsonb_array_elements($2::jsonb) config`,
      [hostName(host), JSON.stringify(rows)],
    );
  }
}

async function callOf(api: Client<typeof serverOperations>, turn: number, hosts: number): Promise<unknown> {
  const host = Math.floor(Math.random() * hosts);
  if (turn % 3 === 0) return await api.call("hostShow", { params: { host: hostName(host) } });
  if (turn % 3 === 1 && vms > 0)
    return await api.call("vmShow", { params: { vm: vmName(host, Math.floor(Math.random() * vms)) } });
  return await api.call("taskList", { query: {} });
}

async function everyPage(
  read: (query: { cursor?: string }) => Promise<{ next: string | null }>,
): Promise<void> {
  let { next } = await read({});
  while (next !== null) ({ next } = await read({ cursor: next }));
}

/** What `godwit vm check --to any` asks. @throws Error when not every pair was judged */
async function checkAll(api: Client<typeof serverOperations>, hosts: number): Promise<void> {
  const answer = await api.call("moveCheck", { body: {} }, { timeoutMs: checkLimitMs });
  const pairs = answer.vms.reduce((sum, vm) => sum + vm.hosts.length, 0);
  if (pairs < hosts * vms * (hosts - 1)) throw new Error(`only ${String(pairs)} pairs were checked`);
}

async function timed(call: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await call();
  return performance.now() - start;
}

/** Ends with the scope. */
function child(stack: AsyncDisposableStack, file: string, words: string[], execArgv: string[]): ChildProcess {
  const started = fork(fileURLToPath(new URL(file, import.meta.url)), words, { execArgv });
  stack.defer(async () => {
    if (started.exitCode !== null) return;
    const ended = once(started, "exit");
    started.disconnect();
    await ended;
  });
  return started;
}

async function reports(of: ChildProcess, word: string): Promise<void> {
  const over = new AbortController();
  const ended = once(of, "exit", { signal: over.signal }).then(() => {
    throw new Error("a process of the simulation ended before its time");
  });
  ended.catch(() => undefined);
  const said = once(of, "message", { signal: over.signal }).then(([message]) => {
    if (message !== word) throw new Error(`a process of the simulation reported ${String(message)}`);
  });
  await Promise.race([said, ended]);
  over.abort();
}

const rounded = (value: number, digits = 1): string => value.toFixed(digits);

const results: Result[] = [];
for (const hosts of sizes) {
  const folder = await mkdtemp(join(tmpdir(), "godwit-scale-"));
  await chmod(folder, 0o755); // the database's user passes through
  console.error(`${String(hosts)} simulated hosts with ${String(vms)} VMs each`);
  try {
    results.push(await measure(hosts, folder));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  if (values.json !== undefined)
    await writeFile(values.json, `${JSON.stringify({ simulation: true, hosts: results }, null, 2)}\n`);
}
console.log(
  table([
    [
      "hosts",
      "VMs",
      "cores",
      "of them PostgreSQL",
      "ms of a core a host",
      "MiB",
      "stale",
      "API p99 ms",
      "failed",
      "hosts ms",
      "VMs ms",
      "all against all ms",
      "connected after s",
      "processor s for that",
      "load",
    ],
    ...results.map((one) => {
      const server = one.cpuSeconds / one.wallSeconds;
      const postgres = one.postgresCpuSeconds / one.wallSeconds;
      return [
        String(one.hosts),
        String(one.vms),
        rounded(server + postgres, 2),
        rounded(postgres, 2),
        rounded(((server + postgres) * 1000) / one.hosts, 2),
        rounded(one.rssMib, 0),
        String(one.staleHosts),
        rounded(one.apiP99Ms),
        String(one.failedCalls),
        ...[one.hostListMs, one.vmListMs].map((figure) => rounded(figure)),
        one.checkMs === null ? "not asked" : rounded(one.checkMs),
        ...[one.connectSeconds, one.connectCpuSeconds, one.loadAverage].map((figure) => rounded(figure)),
      ];
    }),
  ]),
);
process.exit(0);
