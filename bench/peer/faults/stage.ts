/**
 * The stage of one cell after the other. A cell that ended as it should leaves its guest to the next, which moves it
 * back; after any other everything is removed, both daemons start again, and a fresh guest boots.
 */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { VmView } from "@godwit/contract";
import { qemusOf, setLink, vmAddress } from "@godwit/lab";
import { endProcess, identifyProcess, isAlive, run } from "@godwit/system";
import type { TestLab } from "@godwit/test-kit";
import type { Domain } from "../domain-xml.ts";
import type { LibvirtPeer } from "../libvirt-peer.ts";
import { placeTwin } from "../place-twin.ts";
import type { Lun } from "./lun.ts";
import { virshOn, type Role } from "./scene.ts";

const hosts = ["a", "b"] as const;
/** Of the guest among the lab's; the original, which is never started, is the first. */
const guestIndex = 1;
export const guestAddress = vmAddress(guestIndex);

export interface Scenery {
  domain: Omit<Domain, "qmpSocket">;
  hosts: Readonly<Record<Role, string>>;
}

export class Stage {
  readonly lab: TestLab;
  readonly peer: LibvirtPeer;
  readonly #original: VmView;
  readonly #lun: Lun | null;
  /** What the last cell left. */
  #set: Scenery | null = null;

  /**
   * @param original a VM of Godwit whose machine the guest gets
   * @param lun null where the guest's disk is a file on the shared storage
   */
  constructor(lab: TestLab, peer: LibvirtPeer, original: VmView, lun: Lun | null) {
    this.lab = lab;
    this.peer = peer;
    this.#original = original;
    this.#lun = lun;
  }

  /** A guest to move, and the hosts between which it moves. @throws PROGRAM_FAILED */
  async set(): Promise<Scenery> {
    if (this.#set !== null) return this.#set;
    await this.#clear();
    const placed = await placeTwin(this.lab, this.#original, guestIndex);
    const domain = this.#lun === null ? placed : { ...placed, disk: await this.#lun.renew() };
    await this.peer.boot(domain, hosts[0]);
    return { domain, hosts: { source: hosts[0], destination: hosts[1] } };
  }

  /** The next cell moves the guest from its only host. */
  async leave({ domain, hosts }: Scenery, on: Role): Promise<void> {
    await this.#repair();
    const { source, destination } = hosts;
    this.#set =
      on === "source" ? { domain, hosts } : { domain, hosts: { source: destination, destination: source } };
  }

  /** The next cell finds nothing of this one. */
  abandon(): void {
    this.#set = null;
  }

  /** The guest starts again, from the disk as it is. */
  async revive({ domain, hosts }: Scenery): Promise<void> {
    await this.#clear();
    await this.peer.boot(domain, hosts.source);
  }

  /** No fault is left. */
  async #repair(): Promise<void> {
    const { lab } = this.lab;
    await lab.thawStorage().catch(() => undefined); // it refuses when nothing is frozen
    for (const host of hosts) {
      for (const network of ["management", "migration", "office"] as const)
        await setLink(lab.id, host, network, true);
      const other = host === hosts[0] ? hosts[1] : hosts[0];
      await lab.setPath("management", host, other, true).catch(() => undefined); // as above
    }
  }

  /** No fault is left, and nothing of the domain; the daemons are new and know nothing. */
  async #clear(): Promise<void> {
    const { lab } = this.lab;
    this.#set = null;
    await this.#repair();
    for (const host of hosts) {
      const virsh = await virshOn(lab, host);
      if (virsh !== null) await endProcess(virsh, "SIGKILL", 0);
    }
    await Promise.all(hosts.map((host) => this.peer.host(host).endDaemon("libvirtd")));
    for (const { pid } of await qemusOf(lab)) {
      const process = await identifyProcess(pid);
      if (process !== null) await endProcess(process, "SIGKILL", 0);
    }
    await Promise.all(hosts.map((host) => this.#restart(host)));
  }

  async #restart(host: string): Promise<void> {
    const { folder } = this.peer.host(host);
    for (const known of ["run/libvirt/qemu", "etc/qemu", "run/peer"]) {
      const names = await readdir(join(folder, known)).catch(() => [] as string[]);
      for (const name of names)
        if (/\.(xml|pid|sock)$/.test(name)) await rm(join(folder, known, name), { force: true });
    }
    const logger = this.peer.host(host).daemonProcess("virtlogd");
    if (logger === null || !(await isAlive(logger))) await this.peer.host(host).startDaemon("virtlogd");
    await this.peer.host(host).startDaemon("libvirtd");
  }
}

/** Taps in a host's namespace. */
export async function tapsOn({ lab }: TestLab, host: string): Promise<number> {
  const { stdout } = await run("ip", ["-n", lab.namespace(host), "-o", "link", "show", "type", "tun"], {
    what: "counting taps",
  });
  return stdout.split("\n").filter((line) => line !== "").length;
}
