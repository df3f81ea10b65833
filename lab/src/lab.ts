/**
 * A lab: hosts, a server and a client as namespaces of this machine, with real QEMU, real links and real
 * storage. What runs in it are the same programs as on real machines. A lab outlives the program that
 * made it, and everything of it is gone after `down`.
 */
import { once } from "node:events";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { Client } from "@godwit/client";
import { GodwitError, serverOperations, type CpuReport, type HostLoad } from "@godwit/contract";
import {
  endProcess,
  identifyProcess,
  run,
  UndoStack,
  writeFileAtomic,
  type ProcessIdentity,
} from "@godwit/system";
import { stringify } from "yaml";
import { readLabFile, writeLabFile, type LabFile, type LabHost } from "./lab-file.ts";
import { ioTimeoutSeconds, startSanlock } from "./hosts/sanlock.ts";
import { freeze, mountShared, mountSmall, thaw, thawUnder, unmountUnder } from "./hosts/own-file-systems.ts";
import { describeQemus, qemusOfHosts } from "./qemu/qemus.ts";
import { runOnHost, spawnRole } from "./hosts/spawn-role.ts";
import {
  agentPort,
  datastore,
  datastorePath,
  hostAddress,
  labFolder,
  labIdPattern,
  namespaceOf,
  networks,
  portGroup,
  serverAddress,
  serverPort,
  type NetworkName,
} from "./names.ts";
import {
  listNamespaces,
  makeClient,
  makeHost,
  makeServer,
  makeSwitch,
  processesIn,
  removeNamespace,
  removeTaps,
  setPath,
  setWire,
} from "./switch.ts";

export interface LabOptions {
  id: string;
  hosts: readonly string[];
  /** Of each host's migration link; default: as fast as the machine. */
  linkBitsPerSecond?: number | null;
  /** The QEMU of a host, by its name: a path, or the beginning of a version. Default: the newest of this machine. */
  qemu?: Readonly<Record<string, string>>;
  /** The CPU that a host passes for, by its name: a simulation. */
  cpus?: Readonly<Record<string, CpuReport>>;
  /** Whether moves can be held at their pause points, by files in `pauseFolder`. */
  pausePoints?: boolean;
  /** Whether the shared storage is a file system of its own, which can be frozen. */
  ownStorage?: boolean;
  /** MiB of the disk under each host's state; default: the machine's own. */
  stateMib?: number | null;
  /** How to start the program itself: `[node, main.ts]`. */
  program: readonly string[];
  onStep?: (text: string) => void;
}

export type Api = Client<typeof serverOperations>;

export class Lab implements AsyncDisposable {
  readonly id: string;
  readonly folder: string;
  readonly api: Api;
  readonly #program: readonly string[];
  #file: LabFile;

  private constructor(file: LabFile, program: readonly string[], ca: string, token: string) {
    this.id = file.id;
    this.folder = labFolder(file.id);
    this.#file = file;
    this.#program = program;
    this.api = new Client(serverOperations, {
      baseUrl: this.apiUrl,
      tls: { ca, servername: "godwit-server", unit: "server" },
      token,
    });
  }

  /**
   * Makes a lab; when something fails nothing of it stays.
   * @throws NOT_ROOT, USAGE, PROGRAM_MISSING, PROGRAM_FAILED
   */
  static async up(options: LabOptions): Promise<Lab> {
    const { id, hosts, program } = options;
    const say = options.onStep ?? (() => undefined);
    check(id, hosts);
    await rejectExisting(id);
    const qemus = await qemusOfHosts(hosts, options.qemu ?? {});
    await using undo = new UndoStack(() => undefined);
    undo.push("remove the lab", () => removeLab(id));
    const folder = labFolder(id);
    await mkdir(join(folder, "logs"), { recursive: true });
    await mkdir(join(folder, "shared"), { recursive: true });
    if (options.ownStorage === true) await mountShared(join(folder, "shared.img"), join(folder, "shared"));
    if (options.stateMib != null) {
      for (const host of hosts) await mountSmall(join(folder, "hosts", host, "state"), options.stateMib);
    }

    say(`making networks and ${String(hosts.length)} hosts with ${describeQemus(qemus)}`);
    await makeSwitch(id);
    await makeServer(id);
    await makeClient(id);
    const linkBitsPerSecond = options.linkBitsPerSecond ?? null;
    for (const [index, host] of hosts.entries()) await makeHost(id, host, index, linkBitsPerSecond);

    say("starting the server");
    await run(program[0] ?? "", [...program.slice(1), "server", "init", "--data", join(folder, "server")], {
      what: "creating the lab's server",
    });
    const listener = await listenOnLoopback(0);
    const { port } = listener.address() as { port: number };
    const file: LabFile = {
      version: 2,
      id,
      linkBitsPerSecond,
      apiPort: port,
      hosts: qemus.map((host) => ({ ...host, agent: null })),
      pausePoints: options.pausePoints ?? false,
      server: null,
    };
    await writeLabFile(file);
    const lab = await Lab.#of(file, program);
    await lab.#startServer(listener);

    say(`joining ${hosts.join(", ")}`);
    await Promise.all(
      file.hosts.map((host, index) => lab.#joinHost(host, index, options.cpus?.[host.name] ?? null)),
    );
    await Promise.all(
      file.hosts.map(async ({ name }) => {
        await lab.startSanlock(name);
        await lab.startAgent(name);
      }),
    );
    await lab.#connected();
    undo.commit();
    return lab;
  }

  /** A lab that exists. @throws USAGE */
  static async open(id: string, program: readonly string[]): Promise<Lab> {
    return await Lab.#of(await readLabFile(id), program);
  }

  static async #of(file: LabFile, program: readonly string[]): Promise<Lab> {
    const folder = join(labFolder(file.id), "server");
    const ca = await readFile(join(folder, "pki/ca-cert.pem"), "utf8");
    const token = (await readFile(join(folder, "admin-token"), "utf8")).trim();
    return new Lab(file, program, ca, token);
  }

  get apiUrl(): string {
    return `https://127.0.0.1:${String(this.#file.apiPort)}`;
  }
  get hosts(): readonly LabHost[] {
    return this.#file.hosts;
  }
  get serverProcess(): ProcessIdentity | null {
    return this.#file.server;
  }
  /** Of the admin token and the authority's certificate, for the CLI. */
  get serverFolder(): string {
    return join(this.folder, "server");
  }
  /** What the hosts see as their shared datastore. */
  get sharedFolder(): string {
    return join(this.folder, "shared");
  }

  namespace(part: string): string {
    return namespaceOf(this.id, part);
  }
  logOf(role: string): string {
    return join(this.folder, "logs", `${role}.log`);
  }
  /** A host's /run and /var/lib/godwit, seen from outside. */
  hostFolder(host: string): string {
    return join(this.folder, "hosts", host);
  }
  /** A host's /var/lib/godwit, seen from outside. */
  stateFolder(host: string): string {
    return join(this.hostFolder(host), "state");
  }
  /** Where files hold the moves of a host, and tell that they are held. */
  pauseFolder(host: string): string {
    return join(this.hostFolder(host), "pause");
  }
  agentProcess(host: string): ProcessIdentity | null {
    return this.#host(host).agent;
  }

  async startAgent(host: string): Promise<void> {
    const entry = this.#host(host);
    const pauses = this.pauseFolder(host);
    if (this.#file.pausePoints) await mkdir(pauses, { recursive: true });
    entry.agent = await spawnRole({
      what: `the agent of host ${host}`,
      ...this.#view(host),
      log: this.logOf(`agent-${host}`),
      argv: [...this.#program, "agent", "run", "--config", this.#agentConfig(host)],
      ...(this.#file.pausePoints ? { environment: { GODWIT_PAUSE_POINTS: pauses } } : {}),
    });
    await writeLabFile(this.#file);
  }

  /** Ends an agent and waits until it is gone; its VMs run on. */
  async endAgent(host: string, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const { agent } = this.#host(host);
    if (agent !== null) await endProcess(agent, signal, 10_000);
  }

  /** Starts a host's sanlock daemon; without a watchdog, which a namespace cannot have. */
  async startSanlock(host: string): Promise<void> {
    await startSanlock(this.#view(host));
  }

  async endSanlock(host: string, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const path = join(this.hostFolder(host), "run/sanlock/sanlock.pid");
    const identity = await identifyProcess(Number.parseInt(await readFile(path, "utf8").catch(() => ""), 10));
    if (identity !== null) await endProcess(identity, signal, 10_000);
  }

  /** A host's power is cut: all its processes end at once, its wires are dead. */
  async cutPower(host: string): Promise<void> {
    for (const network of hostNetworks) await setWire(this.id, host, network, false);
    await endAllIn(this.namespace(host));
  }

  /** The host boots: what it had in memory is gone, its agent starts. */
  async powerOn(host: string): Promise<void> {
    const run = join(this.hostFolder(host), "run");
    for (const name of await readdir(run)) await rm(join(run, name), { recursive: true, force: true });
    await removeTaps(this.namespace(host));
    for (const network of hostNetworks) await setWire(this.id, host, network, true);
    await this.startSanlock(host);
    await this.startAgent(host);
  }

  /** Cuts or mends what one host sends to another on a network; nobody is told. */
  async setPath(network: "management" | "migration", from: string, to: string, open: boolean): Promise<void> {
    const index = this.#file.hosts.indexOf(this.#host(to));
    await setPath(this.id, { network, from: { host: this.#host(from).name }, to: { index } }, open);
  }

  /** The shared storage takes no writes from now on: whoever writes waits. For labs with `ownStorage`. */
  async freezeStorage(): Promise<void> {
    await freeze(this.sharedFolder);
  }
  async thawStorage(): Promise<void> {
    await thaw(this.sharedFolder);
  }

  async startServer(): Promise<void> {
    await this.#startServer(await listenOnLoopback(this.#file.apiPort));
  }

  async endServer(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (this.#file.server !== null) await endProcess(this.#file.server, signal, 30_000);
  }

  /** The server's private PostgreSQL. */
  async postgresProcess(): Promise<ProcessIdentity | null> {
    const text = await readFile(join(this.serverFolder, "database/postmaster.pid"), "utf8").catch(() => "");
    return await identifyProcess(Number.parseInt(text, 10));
  }

  /** Where that listens, for who wants to look into it. */
  async databaseConnection(): Promise<{ host: string; user: string; database: string; port: number }> {
    const [, , , port, host] = (
      await readFile(join(this.serverFolder, "database/postmaster.pid"), "utf8")
    ).split("\n");
    return { host: host ?? "", port: Number(port), user: "godwit", database: "postgres" };
  }

  /** Ends everything of the lab and removes it. */
  async down(): Promise<void> {
    await this.api.close();
    await removeLab(this.id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }

  #host(name: string): LabHost {
    const host = this.#file.hosts.find((candidate) => candidate.name === name);
    if (host === undefined) throw new TypeError(`the lab has no host ${name}`);
    return host;
  }

  #view(host: string) {
    return {
      namespace: this.namespace(host),
      hostname: host,
      folder: this.hostFolder(host),
      shared: this.sharedFolder,
    };
  }

  #agentConfig(host: string): string {
    return join(this.hostFolder(host), "agent.yaml");
  }

  async #startServer(listener: Server): Promise<void> {
    const fd = (listener as unknown as { _handle: { fd: number } })._handle.fd;
    try {
      this.#file.server = await spawnRole({
        what: "the server",
        namespace: this.namespace("server"),
        hostname: "server",
        folder: join(this.folder, "hosts", "server"),
        log: this.logOf("server"),
        argv: [
          ...this.#program,
          ...["server", "run", "--data", this.serverFolder],
          ...["--listen", `${serverAddress}:${String(serverPort)}`, "--listen", "fd:3"],
        ],
        socketFd: fd,
      });
    } finally {
      listener.close();
    }
    await writeLabFile(this.#file);
  }

  /** Changes what a host with a simulated CPU passes for, as a microcode update would; told by its next report. */
  async simulateCpu(name: string, cpu: CpuReport): Promise<void> {
    await writeFileAtomic(this.#simulatedCpu(name), JSON.stringify(cpu));
  }

  #simulatedCpu(name: string): string {
    return join(this.hostFolder(name), "simulated-cpu.json");
  }

  async #joinHost(host: LabHost, index: number, cpu: CpuReport | null): Promise<void> {
    const { name, qemu } = host;
    await mkdir(this.hostFolder(name), { recursive: true });
    if (cpu !== null) await this.simulateCpu(name, cpu);
    const config = {
      name,
      listen: { address: hostAddress("management", index), port: agentPort },
      server: { url: `https://${serverAddress}:${String(serverPort)}` },
      migration: { address: hostAddress("migration", index) },
      portGroups: [{ name: portGroup, bridge: networks.office.bridge, uplink: "office" }],
      datastores: [{ name: datastore, path: datastorePath, shared: true }],
      leases: { ioTimeoutSeconds },
      qemu: { binary: qemu.binary },
      ...(cpu === null ? {} : { simulatedCpu: this.#simulatedCpu(name) }),
    };
    await writeFileAtomic(this.#agentConfig(name), stringify(config));
    const { token } = await this.api.call("hostTokenCreate", { body: {} });
    const join = ["host", "join", "--config", this.#agentConfig(name), "--token", token];
    await runOnHost({ ...this.#view(name), argv: [...this.#program, ...join] }, `joining host ${name}`);
  }

  async #connected(): Promise<void> {
    const until = performance.now() + 30_000;
    for (;;) {
      const { hosts } = await this.api.call("hostList", {});
      if (hosts.every(({ state, load }) => state === "connected" && load !== null && hasLeases(load))) return;
      if (performance.now() > until) {
        const silent = hosts
          .filter(({ state, load }) => state !== "connected" || load === null || !hasLeases(load))
          .map(({ name }) => name);
        throw GodwitError.of("PROGRAM_FAILED", {
          program: "godwit",
          what: "connecting the lab's hosts",
          output: `no answer from ${silent.join(", ")}; see ${this.folder}/logs`,
        });
      }
      // The events of the server would tell too; this is once, and short.
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

const hasLeases = ({ datastores }: HostLoad): boolean =>
  datastores.every(({ leases }) => leases === null || leases.state === "joined");

const hostNetworks: readonly NetworkName[] = ["management", "migration", "office"];

function check(id: string, hosts: readonly string[]): void {
  if (process.getuid?.() !== 0)
    throw GodwitError.of("NOT_ROOT", { what: "A lab makes network namespaces and" });
  const wrong = !labIdPattern.test(id)
    ? `A lab's id is 1 to 8 lower-case letters and digits; ${id} is not.`
    : hosts.length < 1 || hosts.length > 40
      ? "A lab has 1 to 40 hosts."
      : null;
  if (wrong !== null)
    throw GodwitError.of("USAGE", { what: wrong, hint: "godwit lab up --help shows an example." });
}

async function rejectExisting(id: string): Promise<void> {
  const known = await readLabFile(id).then(
    () => true,
    () => false,
  );
  if (known || (await listNamespaces(id)).length > 0) {
    throw GodwitError.of("USAGE", {
      what: `A lab ${id} exists already.`,
      hint: `Use it, end it with godwit lab down --id ${id}, or choose another --id.`,
    });
  }
}

/** Ends what runs in the lab's namespaces, removes them, and removes its folder. Also a lab that was only half made. */
export async function removeLab(id: string): Promise<void> {
  await thawUnder(labFolder(id));
  for (const namespace of await listNamespaces(id)) {
    await endAllIn(namespace);
    await removeNamespace(namespace);
  }
  await unmountUnder(labFolder(id));
  await rm(labFolder(id), { recursive: true, force: true });
}

async function endAllIn(namespace: string): Promise<void> {
  for (;;) {
    const pids = await processesIn(namespace);
    if (pids.length === 0) return;
    await Promise.all(
      pids.map(async (pid) => {
        const identity = await identifyProcess(pid);
        if (identity !== null) await endProcess(identity, "SIGKILL", 0);
      }),
    );
  }
}

/** A listening socket of this namespace, for the server to inherit: so its API can be reached from here. */
async function listenOnLoopback(port: number): Promise<Server> {
  const server = createServer();
  server.listen({ host: "127.0.0.1", port });
  await once(server, "listening");
  return server;
}
