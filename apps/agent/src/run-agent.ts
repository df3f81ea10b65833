/**
 * A running agent: finds what runs already, takes up moves that were under way, then answers. Its VMs do
 * not notice whether it runs.
 */
import { Client } from "@godwit/client";
import { serverOperations } from "@godwit/contract";
import { HttpServer, type Authority } from "@godwit/http";
import { guestAnswers, Hypervisor, imageFilesOf } from "@godwit/hypervisor";
import { DiskLeases, VolumeGroup } from "@godwit/storage";
import { macLearning } from "@godwit/network";
import { agentHello, leastSpace, writeFileAtomic } from "@godwit/system";
import type { Logger } from "pino";
import { answerOn } from "./answer-on.ts";
import { handlers } from "./api.ts";
import { cpuLimitsFile, type AgentConfig } from "./config.ts";
import { Consoles } from "./consoles/consoles.ts";
import { Datastores } from "./host/datastores.ts";
import { DatastoreOrders } from "./datastore-orders.ts";
import { HostDatastores } from "./datastores/host-datastores.ts";
import { Mounts } from "./datastores/mounts.ts";
import { EventLog } from "./event-log.ts";
import { findVms, removeStrays } from "./found-vms.ts";
import { HostCommands } from "./commands/host-commands.ts";
import { HostFactsReader } from "./host/facts.ts";
import { FactsWatch } from "./host/facts-watch.ts";
import { HostCpu } from "./qemu/host-cpu.ts";
import { Health, ownSources } from "./health/health.ts";
import { readsDatastores } from "./health/storage-latency.ts";
import { HostLoadReader } from "./host/load.ts";
import { numaNodes } from "./host/hugepages.ts";
import { memoryLoad } from "./host/memory.ts";
import { residentBytesOf } from "./host/vms.ts";
import { readIdentity, type AgentIdentity, type CurrentIdentity } from "./identity.ts";
import { LeaseReconciler } from "./lease-reconciler.ts";
import { Leases } from "./leases/leases.ts";
import { Lockspaces } from "./leases/lockspaces.ts";
import { RowLeases } from "./leases/row-leases.ts";
import { Members } from "./members.ts";
import { FurtherLinks } from "./migration-path/further-links.ts";
import { MigrationPath } from "./migration-path/migration-path.ts";
import { Moves } from "./moves/moves.ts";
import { DepartedVms } from "./networks/departed-vms.ts";
import { HostNetworks } from "./networks/host-networks.ts";
import { HostSwitches } from "./networks/host-switches.ts";
import { NewestServer } from "./newest-server.ts";
import { PausePoints } from "./moves/pause-points.ts";
import { CertificateRenewal } from "./renewal.ts";
import { announceVm } from "./vms/announce-vm.ts";
import { Claims } from "./vms/claims.ts";
import { VmCpus } from "./vms/cpu.ts";
import { Environment } from "./vms/environment.ts";
import { doneByGuest } from "./host/guest-activity.ts";
import { GuestWatch } from "./vms/guest-watch.ts";
import { CpuLimits } from "./vms/cpu-limits.ts";
import { CpuWeights } from "./vms/cpu-weights.ts";
import { GuestWatchers } from "./vms/guest-watchers.ts";
import { HostDeviceAdmission } from "./vms/host-device-admission.ts";
import { MemoryAdmission } from "./vms/memory-admission.ts";
import { LogLimit } from "./qemu/log-limit.ts";
import { Processes } from "./qemu/processes.ts";
import { RegistrationNotes } from "./reservations/registration-note.ts";
import { Reservations } from "./reservations/reservations.ts";
import type { RepeatedLook } from "./repeated-look.ts";
import { Devices } from "./vms/devices/devices.ts";
import { Relocations } from "./vms/relocations.ts";
import { SetAside } from "./vms/set-aside.ts";
import { Images } from "./images/images.ts";
import { Exports } from "./vms/export-vm.ts";
import { Uploads } from "./uploads.ts";
import { Snapshots } from "./vms/snapshots.ts";
import { Starts } from "./vms/starts.ts";
import { Suspensions } from "./vms/suspensions.ts";
import { VmFiles } from "./vms/vm-files.ts";
import { StoredVms } from "./vms/stored-vms.ts";
import { Vms } from "./vms/vms.ts";

const leaseTimeoutMs = 5000;

/** @throws USAGE when the host has not joined; PROGRAM_MISSING, PORT_IN_USE */
export async function runAgent(
  config: AgentConfig,
  log: Logger,
  signal: AbortSignal,
  onReady: () => void,
): Promise<void> {
  const identity: CurrentIdentity = { current: await readIdentity(config) };
  const members = await Members.read(config, log);
  await using stack = new AsyncDisposableStack();
  const hostDatastores = await HostDatastores.read(config, log);
  const cpuLimits = await CpuLimits.read(cpuLimitsFile(config), log);
  const hypervisor = await Hypervisor.open({
    host: config.name,
    binary: config.qemu.binary,
    ...(config.qemu.firmwareFolder === undefined ? {} : { firmwareFolder: config.qemu.firmwareFolder }),
    user: config.qemu.user,
    runFolder: config.runFolder,
    cacheFolder: config.cacheFolder,
    readableFolders: config.qemu.readableFolders,
    chapSecretOf: (target) => hostDatastores.chapSecret(target),
    cpuLimitOf: (vm) => cpuLimits.of(vm),
  });
  const { accelerator, acceleratorReason, version } = await hypervisor.facts();
  log.info({ qemu: version, accelerator }, acceleratorReason);

  const hello = agentHello(process.env.GODWIT_PROTOCOL);
  if (hello.software === null) log.warn("an earlier version is spoken: this agent is one for tests");
  const server = new Client(serverOperations, {
    hello,
    baseUrl: config.server.url,
    tls: serverTls(identity.current),
    timeoutMs: leaseTimeoutMs,
  });
  stack.defer(() => server.close());
  const events = new EventLog();
  const claims = new Claims();
  const mounts = new Mounts(config, log);
  const hostNetworks = await HostNetworks.read(config, log);
  const environment = new Environment(config, hostDatastores, mounts, hostNetworks);
  const { ioTimeoutSeconds } = config.leases;
  const disks = new DiskLeases({
    host: config.name,
    runFolder: `${config.runFolder}/leases`,
    ioTimeoutSeconds,
    datastore: (name) => environment.datastore(name),
    lockspaceWithoutFiles: async (name) => {
      const store = await environment.blockStore(name);
      return store instanceof VolumeGroup ? store.lockspace() : null;
    },
  });
  const leases = new Leases(
    new RowLeases(server, config.name),
    disks,
    (name) => hostDatastores.find(name)?.shared ?? null,
  );
  const processes = new Processes(
    events,
    (process) => {
      vms.clearAfter(process).catch((error: unknown) => {
        log.warn({ err: error, vm: process.spec.vm.name }, "what an ended VM left could not be removed");
      });
    },
    (process) => {
      vms.endShutDown(process).catch((error: unknown) => {
        log.warn(
          { err: error, vm: process.spec.vm.name },
          "the QEMU of a guest that is off does not end yet",
        );
      });
    },
    (process) => {
      devices.restore(process);
    },
  );
  const lockspaces = new Lockspaces({
    host: config.name,
    disks,
    datastores: hostDatastores,
    ioTimeoutSeconds,
    processes,
    events,
    log,
  });
  const reservations = new Reservations({
    ...{ host: config.name, datastores: hostDatastores, processes, log },
    notes: new RegistrationNotes(`${config.runFolder}/reservations`),
  });
  environment.heed(reservations);
  const memory = new MemoryAdmission({
    ...{ host: config.name, processes },
    ...{ load: memoryLoad, residentBytes: residentBytesOf, numaNodes },
  });
  const cpu = await HostCpu.open(config.simulatedCpu, hypervisor, log);
  const cpus = new VmCpus({ host: config.name, hypervisor, cpu });
  const setAside: SetAside = new SetAside({
    ...{ hypervisor, processes, claims, log },
    moves: {
      isUnanswerable: (vmId) => moves.isUnanswerable(vmId),
      takeUp: (vm) => moves.takeUp(vm),
    },
    onBack: async (vm) => {
      const process = processes.of(vm.id);
      if (process === undefined) return; // a move has ended it
      relocations.restore(process);
      devices.restore(process);
      await environment.securePorts(vm);
    },
    onGone: (vm) => environment.release(vm),
    onChange: () => {
      events.append("host.factsChanged", { kind: "host", id: config.name }, {});
    },
  });
  const watchers = new GuestWatchers({
    ...{ processes, claims, done: doneByGuest },
    answers: ({ paths }) => guestAnswers(paths.guestAgent, 3000),
  });
  const commands: HostCommands = new HostCommands({ config, processes, setAside, memory, log });
  const vms = new Vms({ config, environment, processes, leases, guests: watchers, claims, log });
  const starts = new Starts({
    ...{ config, hypervisor, cpus, environment, processes, leases, memory, commands, claims, vms, log },
    hostDevices: new HostDeviceAdmission({ host: config.name, processes, unanswering: () => setAside.all }),
    settleDisks: (process) => {
      devices.restore(process);
    },
  });
  const pauses = PausePoints.in(process.env.GODWIT_PAUSE_POINTS);
  if (pauses !== null) log.warn("moves are held at pause points: this agent is one for tests");
  const furtherLinks = new FurtherLinks(config, hypervisor, log);
  const departed = new DepartedVms({
    ...{ networks: hostNetworks, processes, learning: macLearning, log },
    onChange: () => {
      events.append("host.loadChanged", { kind: "host", id: config.name }, {});
    },
  });
  stack.defer(() => {
    departed.stop();
  });
  const moves: Moves = new Moves({
    commands,
    config,
    furtherLinks,
    identity,
    members,
    hello,
    hypervisor,
    environment,
    processes,
    claims,
    leases,
    memory,
    lockspaces,
    departed,
    events,
    log,
    pauses,
  });

  const devices: Devices = new Devices({
    ...{ config, environment, processes, leases, claims, log },
    onCopy: (id, copy) => {
      events.append("vm.imageCopied", { kind: "vm", id }, { copy });
    },
  });
  const relocations = new Relocations({ config, environment, processes, leases, claims, events, log });
  stack.defer(() => {
    relocations.stop();
  });

  const path = new MigrationPath(config, furtherLinks, log);
  stack.defer(() => {
    path.close();
  });
  await path.prepare();
  const { silent, quarantined } = await findVms(hypervisor, processes, setAside, log);
  await disks.clear().catch((error: unknown) => {
    log.info({ err: error }, "what earlier leases left could not be looked at");
  });
  lockspaces.start();
  stack.defer(() => {
    lockspaces.stop();
  });
  const factsChanged = () => {
    events.append("host.factsChanged", { kind: "host", id: config.name }, {});
  };
  const switches = new HostSwitches({
    ...{ networks: hostNetworks, log, onChange: factsChanged },
    vms: () => processes.present.map(({ spec }) => spec.vm),
    mayUseAny: () => setAside.all.map(({ name }) => name),
    secure: (vm) => environment.securePorts(vm),
  });
  await switches.start();
  await moves.restore((vmId) => setAside.has(vmId));
  await moves.endOrphans();
  for (const process of processes.present) {
    relocations.restore(process);
    devices.restore(process);
  }
  const present = [...processes.present.map(({ spec }) => spec.vm), ...silent];
  await removeStrays(present, quarantined, log);
  for (const vm of present) {
    // An earlier version did not limit them, and an administrator may have flushed all filters since.
    await environment.securePorts(vm).catch((error: unknown) => {
      log.error({ err: error, vm: vm.name }, "what the VM may send could not be limited");
    });
  }
  const repeat = (look: RepeatedLook) => {
    look.start();
    stack.defer(() => {
      look.stop();
    });
  };
  repeat(new LogLimit(() => processes.present, log).repeated());
  const guests = new GuestWatch({
    ...{ vms, processes, log },
    freeBytes: ({ spec }) => leastSpace(imageFilesOf(spec)),
  });
  repeat(guests.repeated());
  repeat(
    watchers.repeated((error) => {
      log.warn({ err: error }, "whether guests hang could not be looked at");
    }),
  );
  stack.defer(() => {
    for (const process of processes.present) process.release();
  });
  repeat(reservations.repeated());
  repeat(new LeaseReconciler(leases, processes, claims, log).repeated());

  // Any member of the cluster may bring a VM; what it may do beyond that is checked against its move.
  const newestServer = await NewestServer.read(config, log);
  const authority: Authority = {
    adminToken: null,
    mayConnect: (host, certificate) => members.has(host, certificate),
    hearServer: (generation, isOrder) => newestServer.hear(generation, isOrder),
  };
  members.onRemoved((host) => {
    moves.dropLinesOf(host, (certificate) => members.has(host, certificate));
  });
  const { caPem, certificatePem, keyPem } = identity.current;
  const http = new HttpServer({
    tls: { caPem, certificatePem, keyPem },
    log,
    hello,
    certificateRequired: true,
  });
  stack.defer(() => http.close());
  const datastores = new Datastores({ datastores: hostDatastores, environment, lockspaces, reservations });
  hostDatastores.onChange(() => {
    lockspaces.refresh();
    factsChanged();
  });
  repeat(setAside.repeated());
  repeat(mounts.repeated(() => hostDatastores.all));
  repeat(switches.repeated());
  const facts = new HostFactsReader({
    ...{ config, hypervisor, cpu, datastores, hostDatastores, environment, setAside },
    ...{ networks: hostNetworks, switches, furtherLinks },
  });
  const probe = readsDatastores(hostDatastores, config.mountsFolder);
  const health = new Health(log, ownSources(config, probe));
  repeat(health.repeated());
  const load = new HostLoadReader({
    config,
    networks: hostNetworks,
    datastores,
    processes,
    memory,
    health,
    watchers,
    departed,
  });
  repeat(new FactsWatch(() => facts.read(), events, log).repeated());
  const consoles = new Consoles(config.name, processes, log);
  const files = new VmFiles((name) => environment.datastore(name));
  const renewal = new CertificateRenewal(
    config,
    identity,
    server,
    (renewed) => {
      server.renew(serverTls(renewed));
      http.renew(renewed);
    },
    log,
  );
  const images = new Images({ config, environment, events, log });
  await images.tidy(hostDatastores.withFolders.map(({ name }) => name));
  const uploads = new Uploads({ host: config.name, environment, log });
  await uploads.tidy(hostDatastores.withFolders.map(({ name }) => name));
  const answers = handlers({
    ...{ facts, load, starts, vms, disks, moves, path, consoles, events, members, setAside, files, renewal },
    stored: new StoredVms({
      ...{
        config,
        hypervisor,
        cpus,
        environment,
        datastores: hostDatastores,
        processes,
        leases,
        claims,
        events,
        memory,
        log,
      },
    }),
    datastores: new DatastoreOrders({
      ...{ config, datastores: hostDatastores, environment, processes, setAside, log },
    }),
    ...{ switches, commands, relocations, devices, images, uploads, guests: watchers, reservations },
    snapshots: new Snapshots({ config, hypervisor, environment, processes, leases, claims, log }),
    suspensions: new Suspensions({ config, environment, processes, vms, claims, events, log }),
    exports: new Exports({ config, environment, processes, leases, claims, events }),
    weights: new CpuWeights(processes),
    announce: (id) => announceVm({ processes, claims }, id),
    fence: {
      ...{ disks, reservations, datastore: (name) => environment.datastore(name) },
      reserved: () => hostDatastores.all.flatMap(({ name, reservations: on }) => (on === true ? [name] : [])),
    },
    cpuLimits: { put: (vms) => cpuLimits.put(vms, processes) },
  });
  answerOn(http, answers, authority, moves);
  await http.listen([{ host: config.listen.address, port: config.listen.port }]);
  await writeFileAtomic(`${config.runFolder}/agent.pid`, `${String(process.pid)}\n`);
  log.info({ listen: config.listen }, "agent ready");
  renewal.start();
  stack.defer(() => {
    renewal.stop();
  });
  onReady();
  await new Promise((resolve) => {
    signal.addEventListener("abort", resolve, { once: true });
    if (signal.aborted) resolve(undefined);
  });
  log.info("agent stops; its VMs run on");
}

const serverTls = ({ caPem, certificatePem, keyPem, serverName }: AgentIdentity) => ({
  ...{ ca: caPem, cert: certificatePem, key: keyPem },
  ...{ servername: serverName, unit: "server" },
});
