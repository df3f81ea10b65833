/**
 * A running server: database, lines to the agents, tasks, API. It starts in that order and stops in the
 * opposite one; killed at any point, the next one goes on from what is written.
 */
import { serverOperations } from "@godwit/contract";
import { HttpServer, mount, mountSockets, type Authority, type ListenAddress } from "@godwit/http";
import { PrivatePostgres, ServerLock, Store } from "@godwit/store";
import { ensureUser, ownHello } from "@godwit/system";
import type { Logger } from "pino";
import { handlers } from "./api/handlers.ts";
import { Consoles } from "./consoles/consoles.ts";
import { lockDataFolder, openDataFolder } from "./data-folder.ts";
import { dataPaths } from "./data-paths.ts";
import { HostLinks } from "./hosts/host-links.ts";
import { TaskRunner } from "./tasks/task-runner.ts";

/** The user that the private PostgreSQL runs as. */
export const databaseUser = "godwit-db";
const trimEveryMs = 600_000;

export interface ServerOptions {
  dataFolder: string;
  listen: readonly ListenAddress[];
  /** The operator's PostgreSQL; without it the server runs one of its own. */
  databaseUrl?: string | undefined;
  log: Logger;
}

/**
 * Runs until the signal; resolves when everything is closed.
 * @throws SERVER_NOT_INITIALISED, SERVER_ALREADY_RUNNING, DATABASE_UNAVAILABLE, DATABASE_IN_USE, DATABASE_NEWER, PORT_IN_USE,
 * PROGRAM_MISSING
 */
export async function runServer(
  options: ServerOptions,
  signal: AbortSignal,
  onReady: () => void,
): Promise<void> {
  const { dataFolder, log } = options;
  const data = await openDataFolder(dataFolder);
  await using stack = new AsyncDisposableStack();
  stack.use(await lockDataFolder(dataFolder));

  const connection = await openDatabase(options, stack);
  // Before anything is read or migrated: two servers would both act for the same hosts and VMs.
  const overtaken = new AbortController();
  const lock = await ServerLock.take(connection, (error) => {
    overtaken.abort(error);
  });
  stack.defer(() => lock.release());
  const store = await Store.open(connection, () => lock.isHeld);
  stack.defer(() => store.close());

  const { authority, server } = data;
  const identity = {
    caPem: authority.certificatePem,
    certificatePem: server.certificatePem,
    keyPem: server.keyPem,
  };
  const hosts = new HostLinks(identity, store, log);
  stack.defer(() => hosts.stop());
  const tasks = new TaskRunner(store, hosts, log);
  stack.defer(() => tasks.stop());

  // The authority's own certificate is sent too: a host that joins knows it by its fingerprint only.
  const certificatePem = server.certificatePem + authority.certificatePem;
  const http = new HttpServer({ tls: { ...identity, certificatePem }, log, hello: ownHello });
  stack.defer(() => http.close());
  const callers: Authority = {
    adminToken: data.adminToken,
    mayConnect: (host, fingerprint) => hosts.mayConnect(host, fingerprint),
  };
  const answers = handlers({ store, hosts, tasks, consoles: new Consoles(store, hosts, log), data });
  mount(http, serverOperations, answers, callers);
  mountSockets(http, serverOperations, answers, callers);
  await http.listen(options.listen);
  await hosts.start();
  await tasks.resume();

  const trimming = setInterval(() => {
    Promise.all([store.events.trim(), store.tasks.trim(), store.hosts.trim()]).catch((error: unknown) => {
      log.warn({ err: error }, "old events and tasks not trimmed");
    });
  }, trimEveryMs);
  stack.defer(() => {
    clearInterval(trimming);
  });
  log.info({ listen: options.listen }, "server ready");
  onReady();
  await aborted(AbortSignal.any([signal, overtaken.signal]));
  log.info("server stops");
  if (overtaken.signal.aborted) throw overtaken.signal.reason as Error;
}

async function openDatabase(
  { dataFolder, databaseUrl, log }: ServerOptions,
  stack: AsyncDisposableStack,
): Promise<Parameters<typeof Store.open>[0]> {
  if (databaseUrl !== undefined) return { connectionString: databaseUrl };
  await ensureUser(databaseUser);
  const paths = dataPaths(dataFolder);
  const postgres = await PrivatePostgres.start(
    { folder: paths.database, socketFolder: paths.databaseSocket, user: databaseUser },
    (reason) => {
      log.warn(reason);
    },
  );
  stack.defer(() => postgres.stop());
  return postgres.connection;
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => {
    signal.addEventListener("abort", resolve, { once: true });
  });
}
