/**
 * A running server: database, lines to the agents, tasks, API. It starts in that order and stops in the
 * opposite one; killed at any point, the next one goes on from what is written.
 */
import { join } from "node:path";
import { serverOperations } from "@godwit/contract";
import { HttpServer, mount, mountSockets, type Authority, type ListenAddress } from "@godwit/http";
import { PrivatePostgres, ServerLock, Store } from "@godwit/store";
import { ensureUser, ownHello } from "@godwit/system";
import type { Logger } from "pino";
import { handlers } from "./api/handlers.ts";
import { advanceAuthority, settleAuthority } from "./authority/authority-files.ts";
import { AuthorityRotation } from "./authority/rotation.ts";
import { Activities } from "./moves/activities.ts";
import { Consoles } from "./consoles/consoles.ts";
import {
  authorityName,
  currentServerCertificate,
  defaultCertificateDays,
  lockDataFolder,
  openDataFolder,
  type DataFolder,
} from "./data-folder.ts";
import { dataPaths, usualFenceFolder } from "./data-paths.ts";
import { FencePrograms } from "./fencing/fence-programs.ts";
import { HostAccess } from "./fencing/host-access.ts";
import { CpuLimitOrders } from "./pools/cpu-limits.ts";
import { CpuWeightOrders } from "./pools/cpu-weights.ts";
import { GuestKeeper } from "./guests/guest-keeper.ts";
import { HealthKeeper } from "./health/health-keeper.ts";
import type { LinkIdentity } from "./hosts/link-identity.ts";
import { HostLinks } from "./hosts/host-links.ts";
import { Balancer } from "./balance/balancer.ts";
import { Admission } from "./pools/admission.ts";
import { PowerControls } from "./power/power-controls.ts";
import { ChapSecrets } from "./datastores/chap-secrets.ts";
import { Seal } from "./power/sealed.ts";
import { Planner } from "./pools/planner.ts";
import { ReservationKeeper } from "./datastores/reservation-keeper.ts";
import { Restarter } from "./restart/restarter.ts";
import { PowerKeeper } from "./saving/power-keeper.ts";
import { TaskRunner } from "./tasks/task-runner.ts";

/** The user that the private PostgreSQL runs as. */
export const databaseUser = "godwit-db";
const trimEveryMs = 600_000;
/** How often the server looks whether its own certificate is to be renewed; a short-lived one more often. */
const certificateLookMs = 3_600_000;

export interface ServerOptions {
  dataFolder: string;
  /** Of the programs that fence hosts at datastores. Absent: the usual one. */
  fenceFolder?: string;
  listen: readonly ListenAddress[];
  /** The operator's PostgreSQL; without it the server runs one of its own. */
  databaseUrl?: string | undefined;
  /** How long certificates count that this server issues; agents renew theirs when two thirds are over. */
  certificateDays?: number;
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
  const { dataFolder, log, certificateDays = defaultCertificateDays } = options;
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
  const store = await Store.open(connection, lock);
  stack.defer(() => store.close());

  data.cluster = await settleAuthority(join(dataFolder, "pki"));
  data.server = await currentServerCertificate(data, certificateDays);
  const identity = identityOf(data);
  const seal = await Seal.open(join(dataFolder, "pki"));
  const chapSecrets = new ChapSecrets(store, seal);
  const programs = new FencePrograms({
    folder: options.fenceFolder ?? usualFenceFolder,
    runFolder: join(dataFolder, "fence-runs"),
  });
  const access = new HostAccess({ store, programs, log });
  await access.open();
  stack.defer(() => access.stop());
  const hosts = new HostLinks(identity, store, log, certificateDays, chapSecrets, access);
  stack.defer(() => hosts.stop());
  const power = new PowerControls(store, seal);
  const tasks = new TaskRunner(store, hosts, power, log);
  stack.defer(() => tasks.stop());
  const planner = new Planner();
  stack.defer(() => planner.stop());
  const balancer = new Balancer({ store, hosts, tasks, planner }, log);
  stack.defer(() => balancer.stop());
  const restarter = new Restarter({ store, hosts, tasks, planner, access }, log);
  stack.defer(() => restarter.stop());
  const reservations = new ReservationKeeper({ store, hosts }, log);
  stack.defer(() => reservations.stop());
  const health = new HealthKeeper({ store, hosts, tasks }, log);
  stack.defer(() => health.stop());
  const weights = new CpuWeightOrders({ store, hosts }, log);
  stack.defer(() => weights.stop());
  const cpuLimits = new CpuLimitOrders({ store, hosts }, log);
  stack.defer(() => cpuLimits.stop());
  const guests = new GuestKeeper({ store, hosts, tasks }, log);
  stack.defer(() => guests.stop());

  const saver = new PowerKeeper({ store, hosts, tasks, planner }, log);
  stack.defer(() => saver.stop());

  const http = new HttpServer({ tls: withAuthority(data), log, hello: ownHello });
  stack.defer(() => http.close());
  const callers: Authority = {
    adminToken: data.adminToken,
    mayConnect: (host, certificate) => hosts.mayConnect(host, certificate),
  };
  const authority = new AuthorityRotation({
    ...{ data, hosts, log },
    members: async () => (await store.hosts.connections()).map(({ name }) => name),
    advance: async () => {
      data.cluster = await advanceAuthority(join(dataFolder, "pki"), authorityName);
      data.server = await currentServerCertificate(data, certificateDays);
      http.renew(withAuthority(data));
      hosts.renew(identityOf(data));
    },
  });
  authority.start();
  stack.defer(() => {
    authority.stop();
  });
  const answers = handlers({
    authority,
    store,
    hosts,
    tasks,
    activities: new Activities(hosts),
    consoles: new Consoles(store, hosts, log),
    power,
    chapSecrets,
    access,
    planner,
    admission: new Admission({ store, hosts, planner }),
    cpuLimits,
    balancer,
    restarter,
    data,
    certificateDays,
  });
  mount(http, serverOperations, answers, callers);
  mountSockets(http, serverOperations, answers, callers);
  await http.listen(options.listen);
  await hosts.start();
  await tasks.resume();
  balancer.start();
  restarter.start();
  reservations.start();
  health.start();
  weights.start();
  cpuLimits.start();
  guests.start();
  saver.start();

  const renewing = setInterval(
    () => {
      renew().catch((error: unknown) => {
        log.error({ err: error }, "the server's certificate could not be renewed");
      });
    },
    Math.min(certificateLookMs, certificateDays * 4_320_000),
  );
  const renew = async () => {
    const before = data.server;
    data.server = await currentServerCertificate(data, certificateDays);
    if (data.server === before) return;
    http.renew(withAuthority(data));
    hosts.renew(identityOf(data));
    log.info("the server's certificate is renewed");
  };
  stack.defer(() => {
    clearInterval(renewing);
  });
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

const identityOf = ({ cluster, server }: DataFolder): LinkIdentity => ({
  caPem: cluster.trustPem,
  certificatePem: server.certificatePem,
  keyPem: server.keyPem,
});

/** The authority's own certificate is sent too: a host that joins knows it by its fingerprint only. */
const withAuthority = (data: DataFolder): LinkIdentity => ({
  ...identityOf(data),
  certificatePem: data.server.certificatePem + data.cluster.signing.certificatePem,
});

async function openDatabase(
  { dataFolder, databaseUrl, log }: ServerOptions,
  stack: AsyncDisposableStack,
): Promise<Parameters<typeof Store.open>[0]> {
  if (databaseUrl !== undefined) return { connectionString: databaseUrl };
  // Where the server is not root, its database runs as the server's own user.
  if (process.getuid?.() === 0) await ensureUser(databaseUser);
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
