/**
 * libvirt on hosts of a lab: starts them, defines a domain, moves it, and tells from outside where it runs.
 * Everything of it lies in the lab's folder and namespaces, and is gone when the lab is down.
 */
import { join } from "node:path";
import { hostAddress, qemusOf, type Lab } from "@godwit/lab";
import { createAuthority } from "@godwit/pki";
import { QmpSession } from "@godwit/qmp";
import { identifyProcess, until, writeFileAtomic, type ProcessIdentity } from "@godwit/system";
import { domainXml, type Domain } from "./domain-xml.ts";
import { LibvirtHost, qmpFolder } from "./libvirt-host.ts";

export interface MigrateOptions {
  to: string;
  /** The source's daemon leads the move; otherwise virsh does, connected to both. */
  peerToPeer: boolean;
  /** For the connections between daemons and for the stream of memory. */
  tls: boolean;
  /** For a copy that takes a while; default: as fast as it goes. */
  bandwidthMibPerSecond?: number;
  /** Further words of virsh's. */
  flags?: readonly string[];
  /** Of virsh; default 120 s. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** What libvirt itself tells of a move; null where it does not. */
export interface MoveStatistics {
  totalMs: number | null;
  downtimeMs: number | null;
  bytes: number | null;
  /** Passes over memory. */
  iterations: number | null;
}

const moveLimitMs = 120_000;
const settleLimitMs = 30_000;

export class LibvirtPeer {
  readonly #lab: Lab;
  readonly #hosts: ReadonlyMap<string, LibvirtHost>;

  private constructor(lab: Lab, hosts: ReadonlyMap<string, LibvirtHost>) {
    this.#lab = lab;
    this.#hosts = hosts;
  }

  /** @throws PROGRAM_FAILED when a daemon does not start */
  static async start(lab: Lab): Promise<LibvirtPeer> {
    const authority = await createAuthority("libvirt peer");
    const hosts = await Promise.all(
      lab.hosts.map(({ name }, index) =>
        LibvirtHost.start(lab, authority, {
          name,
          address: hostAddress("management", index),
          migrationAddress: hostAddress("migration", index),
        }),
      ),
    );
    return new LibvirtPeer(lab, new Map(hosts.map((host) => [host.name, host])));
  }

  host(name: string): LibvirtHost {
    const host = this.#hosts.get(name);
    if (host === undefined) throw new TypeError(`the lab has no host ${name}`);
    return host;
  }

  async version(): Promise<string> {
    const [host] = this.#hosts.values();
    return (await host?.virsh(["--version"], { what: "asking for libvirt's version" }))?.stdout ?? "";
  }

  /** Defines the domain on a host and starts it. */
  async boot(domain: Omit<Domain, "qmpSocket">, on: string): Promise<void> {
    const file = join(this.host(on).folder, `${domain.name}.xml`);
    await writeFileAtomic(file, domainXml({ ...domain, qmpSocket: `${qmpFolder}/${domain.name}.sock` }));
    await this.host(on).virsh(["define", file], { what: `defining domain ${domain.name}` });
    await this.#startDomain(domain.name, on);
  }

  /** Ends the domain hard where it is and starts it there again. */
  async reboot(domain: string, on: string): Promise<void> {
    await this.host(on).virsh(["destroy", domain], { what: `ending domain ${domain}`, okCodes: [0, 1] });
    await this.#startDomain(domain, on);
  }

  /** For the next move of a domain; libvirt leaves QEMU's 300 ms otherwise. */
  async allowDowntime(domain: string, on: string, milliseconds: number): Promise<void> {
    await this.host(on).virsh(["migrate-setmaxdowntime", domain, String(milliseconds)], {
      what: `setting the downtime of domain ${domain}`,
    });
  }

  /** @throws PROGRAM_FAILED with virsh's own words */
  async migrate(domain: string, from: string, options: MigrateOptions): Promise<void> {
    const [source, target] = [this.host(from), this.host(options.to)];
    // The source's daemon looks for certificates in its own view, virsh in the machine's.
    const pki = options.peerToPeer ? "/etc/libvirt/pki" : source.pkiFolder;
    const uri = options.tls
      ? `qemu+tls://${target.address}/system?pkipath=${pki}`
      : `qemu+tcp://${target.address}/system`;
    const args = [
      // The lab's shared storage is a folder that both hosts see; libvirt cannot know that.
      ...["migrate", "--live", "--unsafe", "--persistent", "--undefinesource"],
      ...(options.peerToPeer ? ["--p2p"] : []),
      ...(options.tls ? ["--tls"] : []),
      ...(options.flags ?? []),
      ...(options.bandwidthMibPerSecond === undefined
        ? []
        : ["--bandwidth", String(options.bandwidthMibPerSecond)]),
      ...[domain, uri, "--migrateuri", `tcp://${target.migrationAddress}`],
    ];
    await source.virsh(args, {
      what: `moving domain ${domain} from ${from} to ${options.to}`,
      timeoutMs: options.timeoutMs ?? moveLimitMs,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  }

  /** Of the domain's last move, as the host knows it that it went to. */
  async lastMove(domain: string, on: string): Promise<MoveStatistics> {
    const { stdout } = await this.host(on).virsh(["domjobinfo", domain, "--completed", "--rawstats"], {
      what: `asking for the last move of ${domain}`,
    });
    const values = new Map([...stdout.matchAll(/^(\S+): (\d+)$/gm)].map(([, key, text]) => [key, text]));
    const read = (key: string): number | null => {
      const value = values.get(key);
      return value === undefined ? null : Number(value);
    };
    return {
      totalMs: read("time_elapsed"),
      downtimeMs: read("downtime"),
      bytes: read("memory_processed"),
      iterations: read("memory_iteration"),
    };
  }

  /** QEMUs of the domain, by host, found in the process table. */
  async qemus(domain: Pick<Domain, "uuid">): Promise<{ host: string; process: ProcessIdentity }[]> {
    const found: { host: string; process: ProcessIdentity }[] = [];
    for (const { host, pid, vmId } of await qemusOf(this.#lab)) {
      const process = vmId === domain.uuid ? await identifyProcess(pid) : null;
      if (process !== null) found.push({ host, process });
    }
    return found;
  }

  /** Hosts on which the domain's vCPUs run, told by QEMU itself beside libvirt. */
  async runnersOf(domain: Pick<Domain, "name" | "uuid">): Promise<string[]> {
    const hosts = (await this.qemus(domain)).map(({ host }) => host);
    const running = await Promise.all(hosts.map((host) => isRunning(this.host(host).qmpSocket(domain.name))));
    return hosts.filter((_, index) => running[index]);
  }

  /** Ends a move of the domain that may go on without its virsh. @returns where it runs then */
  async settle(domain: Pick<Domain, "name" | "uuid">, from: string): Promise<string[]> {
    const found = await this.runnersOf(domain);
    if ((await this.qemus(domain)).length === 1 && found.length === 1) return found;
    await this.host(from).virsh(["domjobabort", domain.name], {
      what: `ending the move of ${domain.name}`,
      okCodes: [0, 1],
    });
    let runners: string[] = [];
    const isAlone = async () => {
      runners = await this.runnersOf(domain);
      return runners.length === 1 && (await this.qemus(domain)).length === 1;
    };
    await until(isAlone, { everyMs: 200, limitMs: settleLimitMs }); // the process table tells nobody
    return runners;
  }

  async #startDomain(domain: string, on: string): Promise<void> {
    await this.host(on).virsh(["start", domain], { what: `starting domain ${domain}` });
  }
}

async function isRunning(socket: string): Promise<boolean> {
  const session = await QmpSession.connect(socket).catch(() => null);
  if (session === null) return false;
  try {
    return (await session.execute("query-status")).running;
  } finally {
    session.close();
  }
}
