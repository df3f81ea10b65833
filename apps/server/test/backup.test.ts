/**
 * A backup of a server that runs, and what a server is that is made from it: nothing of the past is carried out, and a
 * file that was cut off, changed or made for another key changes nothing.
 */
import { pbkdf2 } from "node:crypto";
import { chmod, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "@godwit/client";
import { serverOperations } from "@godwit/contract";
import { privateConnection } from "@godwit/store";
import { ensureUser } from "@godwit/system";
import { generateIdentity, identityToRecipient } from "age-encryption";
import pg from "pg";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { firstOwnPort } from "../../../test-kit/src/own-ports.ts";
import {
  backUpServer,
  databaseUser,
  dataPaths,
  initServer,
  restoreServer,
  runServer,
  serverName,
} from "../src/index.ts";

const port = firstOwnPort;
let folder: string;
let dataFolder: string;
let backups: string;
let file: string;
let identities: string[];
let stop: () => Promise<void>;

/** Starts the server of a folder. */
async function serve(
  data: string,
): Promise<{ api: Client<typeof serverOperations>; stop: () => Promise<void> }> {
  const over = new AbortController();
  const ready = Promise.withResolvers<undefined>();
  const running = runServer(
    { dataFolder: data, listen: [{ host: "127.0.0.1", port }], log: pino({ level: "silent" }) },
    over.signal,
    () => {
      ready.resolve(undefined);
    },
  );
  await Promise.race([ready.promise, running]);
  const paths = dataPaths(data);
  const api = new Client(serverOperations, {
    baseUrl: `https://127.0.0.1:${String(port)}`,
    tls: { ca: await readFile(paths.caCertificate, "utf8"), servername: serverName, unit: "server" },
    token: (await readFile(paths.adminToken, "utf8")).trim(),
  });
  const stop = async () => {
    await api.close();
    over.abort();
    await running;
  };
  return { api, stop };
}

async function query<Row extends pg.QueryResultRow>(data: string, text: string): Promise<Row[]> {
  const client = new pg.Client(privateConnection(dataPaths(data).databaseSocket));
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}

const vmId = "11111111-1111-4111-8111-111111111111";
const numbers = `select (select generation from writer_generation)::int as writer,
  (select generation from membership)::int as members, (select coalesce(max(id), 0) from events)::int as events,
  (select version from leases) as lease`;
interface Numbers {
  writer: number;
  members: number;
  events: number;
  lease: number;
}
let before: Numbers | undefined;

beforeAll(async () => {
  await ensureUser(databaseUser);
  folder = await mkdtemp(join(tmpdir(), "godwit-backup-"));
  await chmod(folder, 0o755);
  dataFolder = join(folder, "server");
  backups = join(folder, "backups");
  await initServer(dataFolder);
  const server = await serve(dataFolder);
  await server.api.call("poolCreate", { body: { name: "kept" } });
  await server.api.call("hostTokenCreate", { body: { validSeconds: 3600 } });
  // What was under way and where a VM was.
  await query(
    dataFolder,
    `insert into hosts (name, agent_url, member_id, maintenance) values ('a', 'https://127.0.0.1:1', 'x', 'entering');
     insert into vms (id, name, state, host, seen_at, config) values ('${vmId}', 'web', 'running', 'a', now(), '{}');
     insert into leases (vm_id, vm_name, version) values ('${vmId}', 'web', 7);
     insert into tasks (id, kind, subject_kind, subject_id, subject_name, state, request, body, actor) values
       ('22222222-2222-4222-8222-222222222222', 'vm.delete', 'vm', '${vmId}', 'web', 'running',
        '{"vm": {"id": "${vmId}", "name": "web"}, "datastore": "shared", "host": "a", "disks": "made"}',
        '{"steps": [], "error": null, "waitingFor": null, "result": null, "cancellable": false}', 'admin');
     insert into task_locks values ('vm:${vmId}', '22222222-2222-4222-8222-222222222222')`,
  );
  [before] = await query<Numbers>(dataFolder, numbers);
  const identity = await generateIdentity();
  identities = [identity];
  const key = { recipients: [await identityToRecipient(identity)] };
  // A program whose files are slow: what another program wrote into a pipe meanwhile must not be lost.
  let isBusy = true;
  const work = () => {
    if (isBusy) pbkdf2("", "", 20_000, 64, "sha512", work);
  };
  for (let thread = 0; thread < 4; thread++) work();
  ({ file } = await backUpServer({ dataFolder, to: backups, key, keep: null }));
  isBusy = false;
  stop = server.stop;
  await stop();
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const restored = (name: string, from = file) =>
  restoreServer({ file: from, dataFolder: join(folder, name), key: { identities }, databaseUser });

test("a restored server has what there was, and carries out nothing that was under way", async () => {
  const data = join(folder, "restored");
  const state = await restored("restored");
  expect(state).toMatchObject({ hosts: ["a"], vms: 1, interrupted: [{ kind: "vm.delete", subject: "web" }] });
  expect(await readFile(join(data, "admin-token"), "utf8")).toBe(
    await readFile(join(dataFolder, "admin-token"), "utf8"),
  );
  const server = await serve(data);
  try {
    const { pools } = await server.api.call("poolList", {});
    expect(pools.map(({ name }) => name)).toEqual(["kept"]);
    const [task] = (await server.api.call("taskList", { query: {} })).tasks;
    expect(task).toMatchObject({ state: "failed", error: { code: "TASK_BEFORE_RESTORE" } });
    const rows = await query(data, "select state, (select maintenance from hosts) as maintenance from vms");
    expect(rows).toEqual([{ state: "lost", maintenance: "off" }]);
    expect(await query(data, "select * from join_tokens")).toEqual([]);
    expect(await query(data, "select * from task_locks")).toEqual([]);
    const [after] = await query<Numbers>(data, numbers);
    for (const number of ["writer", "members", "lease"] as const)
      expect(after?.[number], number).toBeGreaterThan((before?.[number] ?? 0) + 1000);
    await server.api.call("poolCreate", { body: { name: "later" } });
    const [{ next } = { next: 0 }] = await query<{ next: number }>(
      data,
      "select max(id)::int as next from events",
    );
    expect(next).toBeGreaterThan((before?.events ?? 0) + 1000);
  } finally {
    await server.stop();
  }
  await expect(restored("restored")).rejects.toMatchObject({ code: "RESTORE_FOLDER_IN_USE" });
});

test("a file that was cut off, changed, or made for another key changes nothing", async () => {
  const whole = await readFile(file);
  const damaged = join(folder, "damaged.age");
  const cases: [string, () => Promise<void>][] = [
    ["cut off", () => truncate(damaged, whole.length - 100)],
    ["cut off at a part's end", () => truncate(damaged, whole.length - (whole.length % 65_552))],
    ["one bit", () => writeFile(damaged, whole.with(whole.length >> 1, (whole[whole.length >> 1] ?? 0) ^ 1))],
    ["no backup", () => writeFile(damaged, "a text")],
  ];
  for (const [name, damage] of cases) {
    await writeFile(damaged, whole);
    await damage();
    await expect(restored("never", damaged), name).rejects.toMatchObject({ code: "BACKUP_UNREADABLE" });
  }
  const key = { identities: [await generateIdentity()] };
  const other = { file, dataFolder: join(folder, "never"), key, databaseUser };
  await expect(restoreServer(other)).rejects.toMatchObject({
    code: "BACKUP_UNREADABLE",
    message: expect.stringContaining("another key") as string,
  });
  expect(await readdir(folder)).not.toContain("never");
});

test("a passphrase opens what it closed, and a backup without a database leaves nothing behind", async () => {
  const key = { passphrase: "correct horse battery" };
  const options = { dataFolder, to: join(folder, "phrase"), key, keep: 1 };
  // The server is stopped, and its database with it.
  await expect(backUpServer(options)).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
  expect((await readdir(dataFolder)).filter((name) => name.startsWith("."))).toEqual([]);
  const server = await serve(dataFolder);
  try {
    await backUpServer(options);
    const made = await backUpServer(options);
    expect(await readdir(options.to)).toEqual([made.file.slice(options.to.length + 1)]);
    const data = join(folder, "by-phrase");
    await restoreServer({ file: made.file, dataFolder: data, key, databaseUser });
    expect(await readdir(data)).toContain("admin-token");
  } finally {
    await server.stop();
  }
});
