/** What a lab's programs use of the machine, counted from outside: memory, descriptors, files, taps, processes. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { qemusOf, type Lab } from "@godwit/lab";
import { run, type ProcessIdentity } from "@godwit/system";

export interface Census {
  afterMoves: number;
  /** Resident memory in MiB and open descriptors of each agent and the server. */
  programs: Record<string, { rssMib: number; descriptors: number }>;
  qemus: number;
  taps: number;
  leaseHolders: number;
  /** Files under the hosts' run and state folders. */
  files: number;
  /** Of the server's database, but for tasks with their steps and events: of those the newest are kept, 10 000 and 20 000. */
  rows: number;
  unendedTasks: number;
}

export async function census(lab: Lab, afterMoves: number): Promise<Census> {
  const hosts = lab.hosts.map(({ name }) => name);
  const programs: Census["programs"] = {};
  for (const host of hosts) programs[`agent ${host}`] = await programOf(lab.host(host).agent);
  programs.server = await programOf(lab.server.process);
  const counts = await Promise.all(
    hosts.map(async (host) => ({
      taps: await tapsOf(lab.namespace(host)),
      holders: (await readdir(join(lab.host(host).folder, "run/godwit/leases")).catch(() => [])).length,
      files:
        (await filesUnder(join(lab.host(host).folder, "run"))) +
        (await filesUnder(lab.host(host).stateFolder)),
    })),
  );
  const sum = (key: "taps" | "holders" | "files") => counts.reduce((total, count) => total + count[key], 0);
  const { tasks } = await lab.api.call("taskList", { query: { limit: 50 } });
  return {
    afterMoves,
    programs,
    qemus: (await qemusOf(lab)).length,
    taps: sum("taps"),
    leaseHolders: sum("holders"),
    files: sum("files"),
    rows: await rowsOf(lab),
    unendedTasks: tasks.filter(({ endedAt }) => endedAt === null).length,
  };
}

async function programOf(identity: ProcessIdentity | null): Promise<{ rssMib: number; descriptors: number }> {
  const folder = `/proc/${String(identity?.pid ?? 0)}`;
  const rssKib = Number(/^VmRSS:\s+(\d+)/m.exec(await readFile(`${folder}/status`, "utf8"))?.[1]);
  return { rssMib: Math.round(rssKib / 1024), descriptors: (await readdir(`${folder}/fd`)).length };
}

async function tapsOf(namespace: string): Promise<number> {
  const { stdout } = await run("ip", ["-n", namespace, "-o", "link", "show", "type", "tun"], {
    what: "counting taps",
  });
  return stdout.split("\n").filter((line) => line !== "").length;
}

const countRows = `
  select sum((xpath('/row/rows/text()', query_to_xml(format('select count(*) as rows from %I', tablename), false, true, '')))[1]::text::bigint)
  from pg_tables where schemaname = 'public' and tablename not in ('tasks', 'task_steps', 'events')`;

async function rowsOf(lab: Lab): Promise<number> {
  const { host, port, user, database } = await lab.server.databaseConnection();
  const { stdout } = await run(
    "psql",
    ["-h", host, "-p", String(port), "-U", user, "-d", database, "-AtXc", countRows],
    { what: "counting the database's rows" },
  );
  return Number(stdout);
}

async function filesUnder(folder: string): Promise<number> {
  return (await readdir(folder, { recursive: true }).catch(() => [])).length;
}
