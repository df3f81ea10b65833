/**
 * A lab: hosts, a server and a client as namespaces of this machine, with real QEMU, real links and real
 * storage. What runs in it are the same programs as on real machines. A lab outlives the program that
 * made it, and everything of it is gone after `down`.
 */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Client } from "@godwit/client";
import { serverOperations } from "@godwit/contract";
import { markDatastore } from "@godwit/storage";
import { run, UndoStack } from "@godwit/system";
import { connected } from "./connected.ts";
import { LabHost } from "./hosts/host.ts";
import { freeze, mountShared, mountSmall, thaw } from "./hosts/own-file-systems.ts";
import { openLab, readLabFile, writeLabFile, type LabFile, type OpenLab } from "./lab-file.ts";
import { checkOptions, type LabOptions } from "./lab-options.ts";
import { datastore, labFolder, namespaceOf } from "./names.ts";
import { describeQemus, qemusOfHosts } from "./qemu/qemus.ts";
import { removeLab } from "./remove-lab.ts";
import { LabServer, listenOnLoopback } from "./server/server.ts";
import { makeClient, makeHost, makeServer, makeSwitch, setPath } from "./switch.ts";

export type Api = Client<typeof serverOperations>;

export class Lab implements AsyncDisposable {
  readonly api: Api;
  readonly server: LabServer;
  readonly hosts: readonly LabHost[];
  readonly #open: OpenLab;

  private constructor(open: OpenLab, server: LabServer, ca: string, token: string) {
    this.#open = open;
    this.server = server;
    this.hosts = open.file.hosts.map((record, index) => new LabHost(open, record, index));
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
    const { id, program } = options;
    const say = options.onStep ?? (() => undefined);
    await checkOptions(options);
    const qemus = await qemusOfHosts(options.hosts, options.qemu ?? {});
    await using undo = new UndoStack(() => undefined);
    undo.push("remove the lab", () => removeLab(id));
    await makeFolders(options);

    say(`making networks and ${String(qemus.length)} hosts with ${describeQemus(qemus)}`);
    const linkBitsPerSecond = options.linkBitsPerSecond ?? null;
    await makeSwitch(id);
    await makeServer(id);
    await makeClient(id);
    for (const [index, { name }] of qemus.entries()) await makeHost(id, name, index, linkBitsPerSecond);

    say("starting the server");
    const data = join(labFolder(id), "server");
    await run(program[0] ?? "", [...program.slice(1), "server", "init", "--data", data], {
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
      localDatastore: options.localDatastore ?? false,
      forbidsUserfaultfd: options.forbidsUserfaultfd ?? false,
      ...(options.certificateLife === undefined ? {} : { certificateLife: options.certificateLife }),
      server: null,
    };
    await writeLabFile(file);
    const lab = await Lab.#of(file, program);
    await lab.server.start(listener);

    say(`joining ${options.hosts.join(", ")}`);
    await lab.#join(options.cpus ?? {});
    undo.commit();
    return lab;
  }

  /** A lab that exists. @throws USAGE */
  static async open(id: string, program: readonly string[]): Promise<Lab> {
    return await Lab.#of(await readLabFile(id), program);
  }

  static async #of(file: LabFile, program: readonly string[]): Promise<Lab> {
    const open = openLab(file, program);
    const server = new LabServer(open);
    const ca = await readFile(join(server.folder, "pki/ca-cert.pem"), "utf8");
    const token = (await readFile(join(server.folder, "admin-token"), "utf8")).trim();
    return new Lab(open, server, ca, token);
  }

  get id(): string {
    return this.#open.file.id;
  }
  get folder(): string {
    return this.#open.folder;
  }
  get apiUrl(): string {
    return `https://127.0.0.1:${String(this.#open.file.apiPort)}`;
  }
  /** What the hosts see as their shared datastore. */
  get sharedFolder(): string {
    return this.#open.sharedFolder;
  }

  /** @throws TypeError when there is no such host */
  host(name: string): LabHost {
    const host = this.hosts.find((candidate) => candidate.name === name);
    if (host === undefined) throw new TypeError(`the lab has no host ${name}`);
    return host;
  }

  /** @param part a host's name, `server`, `client` or `net` */
  namespace(part: string): string {
    return namespaceOf(this.id, part);
  }

  /** @param role like `agent-a` */
  logOf(role: string): string {
    return this.#open.logOf(role);
  }

  /** Cuts or restores what one host sends to another on a network; neither host is notified. */
  async setPath(network: "management" | "migration", from: string, to: string, open: boolean): Promise<void> {
    const { index } = this.host(to);
    await setPath(this.id, { network, from: { host: this.host(from).name }, to: { index } }, open);
  }

  /** The shared storage takes no writes from now on: whoever writes waits. For labs with `ownStorage`. */
  async freezeStorage(): Promise<void> {
    await freeze(this.sharedFolder);
  }
  async thawStorage(): Promise<void> {
    await thaw(this.sharedFolder);
  }

  /** Ends everything of the lab and removes it. */
  async down(): Promise<void> {
    await this.api.close();
    await removeLab(this.id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }

  async #join(cpus: NonNullable<LabOptions["cpus"]>): Promise<void> {
    await Promise.all(
      this.hosts.map(async (host) => {
        const { token } = await this.api.call("hostTokenCreate", { body: {} });
        await host.join(token, cpus[host.name] ?? null);
      }),
    );
    await Promise.all(
      this.hosts.map(async (host) => {
        await host.startSanlock();
        await host.startAgent();
      }),
    );
    await connected(this.api, join(this.folder, "logs"));
  }
}

/** The lab's folder, with file systems of its own where they are asked for. */
async function makeFolders({ id, hosts, ownStorage, stateMib }: LabOptions): Promise<void> {
  const folder = labFolder(id);
  await mkdir(join(folder, "logs"), { recursive: true });
  await mkdir(join(folder, "shared"), { recursive: true });
  if (ownStorage === true) await mountShared(join(folder, "shared.img"), join(folder, "shared"));
  await markDatastore({ name: datastore, path: join(folder, "shared"), shared: true }, "lab");
  if (stateMib != null) {
    for (const host of hosts) await mountSmall(join(folder, "hosts", host, "state"), stateMib);
  }
}
