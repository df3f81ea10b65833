/**
 * Godwit on a rack, installed as docs/operators/install.md says: its commands are read from there. The storage server
 * has the Godwit server too; every other one is a host. What is done already on a rack that was kept is not done again.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Client } from "@godwit/client";
import { GodwitError, serverOperations, type HostView } from "@godwit/contract";
import { until } from "@godwit/system";
import { blocksOf, commandOf, commandsOf, filled } from "../src/handbook.ts";
import { addressOf, networks } from "../src/networks.ts";
import type { Rack } from "../src/rack.ts";
import { packagesFolder, packagesIn } from "../src/root.ts";
import { domain, vmBridge } from "../src/server-settings.ts";
import type { Server } from "../src/server.ts";
import { FileServer } from "./file-server.ts";
import { PatientClient } from "./patient-client.ts";
import type { ServerResult } from "./result.ts";
import { exportFolder } from "./shared-storage.ts";

export type Api = Client<typeof serverOperations>;
type Say = (text: string) => void;

const pages = join(import.meta.dirname, "../../docs/operators");
const limitMs = 600_000;
/** Where pause points are held: a lever of tests, which no handbook names. */
export const holdFolder = "/run/godwit-hold";
/** Of what fails because an emulated server was too slow. */
export const mostAttempts = 4;
const done = "/root/.story";
const newPackages = "/root/upgrade";
/** The first start has five minutes, which an emulated server on a busy machine passes. */
const slowly = "[Service]\nTimeoutStartSec=1800s\n";

export class Site {
  readonly rack: Rack;
  readonly files: FileServer;
  readonly #install: string;
  readonly #leases: string;
  readonly #say: Say;
  #api: Api | null = null;

  private constructor(rack: Rack, files: FileServer, page: { install: string; leases: string }, say: Say) {
    this.rack = rack;
    this.files = files;
    this.#install = page.install;
    this.#leases = page.leases;
    this.#say = say;
  }

  static async on(rack: Rack, say: Say): Promise<Site> {
    const read = async (name: string) => await readFile(join(pages, name), "utf8");
    const page = { install: await read("install.md"), leases: await read("leases.md") };
    return new Site(rack, await FileServer.listen(), page, say);
  }

  /** The page on installation. */
  get installPage(): string {
    return this.#install;
  }

  get server(): Server {
    return this.rack.server("storage");
  }
  get hosts(): readonly Server[] {
    return this.rack.servers.filter((one) => one !== this.server);
  }
  get api(): Api {
    if (this.#api === null) throw new TypeError("the server was not made yet");
    return this.#api;
  }

  /** Commands of the page's section "A VM". @throws Error when there is none, or more than one */
  vmCommand(beginning: string): string {
    return commandOf(commandsOf(this.#install, "A VM"), beginning);
  }

  /**
   * A command as an administrator gives it on the server's machine: again when it fails, since emulated servers on a busy
   * machine now and then do not hear of each other for longer than is allowed. @throws PROGRAM_FAILED
   */
  async command(text: string): Promise<{ stdout: string; attempts: number }> {
    for (let attempts = 1; ; attempts++) {
      try {
        return { stdout: await this.server.shell(`cd /root && ${text}`), attempts };
      } catch (error) {
        if (attempts === mostAttempts) throw error;
        this.#say(`  again: ${error instanceof Error ? error.message.slice(-400) : String(error)}`);
        await this.connected();
      }
    }
  }

  /**
   * Sections "The server" and "Each host": the packages, and `godwit server init`.
   * @param installed whether the servers came with the packages
   */
  async install(installed: boolean): Promise<void> {
    await this.server.write("/etc/systemd/system/godwit-server.service.d/rack.conf", slowly);
    const install = async (): Promise<void> => {
      await Promise.all(
        this.rack.servers.map(async (server) => {
          const section = server === this.server ? "The server" : "Each host";
          for (const name of await packagesIn(packagesFolder)) {
            await this.files.fetch(server, join(packagesFolder, name), `/root/${name}`);
          }
          await server.shell(`cd /root && ${commandOf(commandsOf(this.#install, section), "apt install")}`);
        }),
      );
    };
    if (installed) await this.server.run("systemctl", "daemon-reload");
    else await this.#once("install", "installing the packages", install);
    await this.#once("init", "making the Godwit server", async () => {
      await this.server.shell(commandOf(commandsOf(this.#install, "The server"), "godwit server init"));
    });
    const read = async (path: string) => await this.server.run("cat", `/var/lib/godwit/server/${path}`);
    this.#api = new PatientClient(serverOperations, {
      baseUrl: `https://${this.server.address("management")}:8443`,
      tls: { ca: await read("pki/ca-cert.pem") },
      token: await read("admin-token"),
      timeoutMs: 120_000,
    });
  }

  /** One server's packages, by the page on upgrading. @param folder of packages, on this machine */
  async upgrade(server: Server, folder: string): Promise<void> {
    const page = await readFile(join(pages, "upgrading.md"), "utf8");
    const [forServer = "", forHosts = ""] = commandsOf(page, "Upgrading").filter((command) =>
      command.startsWith("apt install"),
    );
    await this.#replacePackages(server, folder, server === this.server ? forServer : forHosts);
  }

  /** A host's packages of the version before, by the section "Going back". @param folder of packages, on this machine */
  async goBack(host: Server, folder: string): Promise<void> {
    const page = await readFile(join(pages, "upgrading.md"), "utf8");
    const [command = ""] = /apt install --allow-downgrades[^`]+/.exec(page) ?? [];
    if (command === "") throw new Error("the page on upgrading has no command for going back");
    await this.#replacePackages(host, folder, command.replaceAll("\n", " "));
  }

  async #replacePackages(server: Server, folder: string, command: string): Promise<void> {
    await server.run("rm", "-rf", newPackages);
    for (const name of await packagesIn(folder)) {
      await this.files.fetch(server, join(folder, name), `${newPackages}/${name}`);
    }
    await server.shell(`cd ${newPackages} && ${command}`);
    await this.connected();
  }

  /** Storage, the watchdog, and section "Each host". Resolves when every host is connected and has its leases. */
  async join(): Promise<void> {
    await this.#once("storage", "exporting storage by the kernel's NFS server", async () => {
      await exportFolder(this.server);
    });
    await this.#once("join", "joining the hosts", async () => {
      await Promise.all(
        this.hosts.map(async (host) => {
          await this.#joinOne(host);
        }),
      );
    });
    await this.#once("datastore", "defining the shared datastore", async () => {
      // Marked through an agent that sees it.
      await this.#hostsAre(({ state, load }) => state === "connected" && load !== null);
      const command = commandOf(commandsOf(this.#install, "Each host"), "godwit datastore add");
      await this.server.shell(filled(command, { "filer.example.com": `${this.server.name}.${domain}` }));
    });
    await this.connected();
  }

  /** Does what a server refuses while a host does not answer, again once all hosts are connected. */
  async whenReady<T>(act: () => Promise<T>): Promise<T> {
    for (let attempts = 1; ; attempts++) {
      try {
        return await act();
      } catch (error) {
        const mayTry = GodwitError.is(error) && error.problem.retry === "later";
        if (attempts === mostAttempts || !mayTry) throw error;
        await this.connected();
      }
    }
  }

  /** Of an earlier story that broke off. */
  async releaseHolds(): Promise<void> {
    await Promise.all(this.hosts.map(async (host) => await host.shell(`rm -f ${holdFolder}/*`)));
  }

  async #joinOne(host: Server): Promise<void> {
    const commands = commandsOf(this.#install, "Each host");
    if (host.spec.suite === "bookworm") await this.#watchdog(host);
    const token = await this.server.shell(
      commandOf(commandsOf(this.#install, "The server"), "godwit host token"),
    );
    const words = {
      NAME: `${this.server.name}.${domain}`,
      "10.0.2.11": addressOf("migration", host.spec.number),
      "gwt1.…": token.trim(),
    };
    await host.shell(filled(commandOf(commands, "godwit host join"), words));
    const settings = blocksOf(this.#install).find(
      ({ language, section }) => language === "yaml" && section === "Each host",
    );
    const agent = await host.run("cat", "/etc/godwit/agent.yaml");
    const own = filled(settings?.text ?? "", { eno1: networks.office.device });
    if (!own.includes(vmBridge)) throw new Error(`the page has no bridge ${vmBridge}`);
    await host.write("/etc/godwit/agent.yaml", `${agent}\n${own}\n`);
    await host.write(
      "/etc/systemd/system/godwit-agent.service.d/hold.conf",
      `[Service]\nEnvironment=GODWIT_PAUSE_POINTS=${holdFolder}\n`,
    );
    await host.shell(`mkdir -p ${holdFolder} && systemctl daemon-reload`);
    await host.shell(commandOf(commands, "systemctl restart"));
  }

  /** Debian 12 starts sanlock without one; the page on leases says how to change that. */
  async #watchdog(host: Server): Promise<void> {
    await host.write("/etc/modules-load.d/softdog.conf", "softdog\n");
    await host.shell("modprobe softdog");
    for (const command of commandsOf(this.#leases, "Watchdog")) await host.shell(command);
  }

  /** @throws Error with the hosts' states when they are not ready in time */
  async connected(): Promise<void> {
    await this.#hostsAre(isReady);
  }

  async #hostsAre(isGood: (host: HostView) => boolean): Promise<void> {
    let hosts: HostView[] = [];
    const ready = await until(
      async () => {
        hosts = (await this.api.call("hostList", {})).hosts;
        return hosts.length === this.hosts.length && hosts.every(isGood);
      },
      { everyMs: 2000, limitMs },
    );
    if (ready !== null) return;
    const states = hosts.map(
      ({ name, state, unreachableReason, load }) =>
        `${name}: ${state} ${unreachableReason ?? ""} ${JSON.stringify(load?.datastores ?? null)}`,
    );
    throw new Error(`the hosts are not ready: ${states.join("; ")}`);
  }

  async describe(): Promise<ServerResult[]> {
    const { hosts } = await this.api.call("hostList", {});
    return await Promise.all(
      hosts.map(async ({ name, facts }) => ({
        name,
        debian: (await this.rack.server(name).run("cat", "/etc/debian_version")).trim(),
        kernel: (await this.rack.server(name).run("uname", "-r")).trim(),
        qemu: facts?.qemu.version ?? "",
        accelerator: facts?.qemu.accelerator ?? "",
      })),
    );
  }

  /** The last words of Godwit's services, for when something does not hold. */
  async journals(): Promise<string> {
    const units = ["--unit", "godwit-server", "--unit", "godwit-agent", "--unit", "sanlock"];
    const words = this.rack.servers.map(async (server) => {
      const stdout = await server.run("journalctl", "--no-pager", "--lines", "30", ...units).catch(String);
      return `journal of ${server.name}:\n${stdout}\n`;
    });
    return (await Promise.all(words)).join("\n");
  }

  async close(): Promise<void> {
    await this.#api?.close();
    await this.files.close();
  }

  async #once(name: string, what: string, act: () => Promise<void>): Promise<void> {
    if ((await this.server.try("test", "-e", `${done}/${name}`)).exitCode === 0) return;
    this.#say(what);
    await act();
    await this.server.write(`${done}/${name}`, "");
  }
}

const isReady = ({ state, load }: HostView): boolean =>
  state === "connected" &&
  load !== null &&
  load.datastores.length > 0 &&
  load.datastores.every(({ leases }) => leases?.state === "joined");
