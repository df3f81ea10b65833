/**
 * A libvirt host in a lab: Debian's libvirtd and virtlogd in a lab host's network namespace, with their own
 * view of /run, /etc/libvirt and /var. They live beside Godwit's agent and on the same links, and end with
 * the lab. Each daemon can be ended and started by itself.
 */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { chown, mkdir, open, readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { GodwitError } from "@godwit/contract";
import type { Lab } from "@godwit/lab";
import type { KeyAndCertificate } from "@godwit/pki";
import {
  endProcess,
  identifyProcess,
  isAlive,
  run,
  sleep,
  userIds,
  type ProcessIdentity,
  type RunResult,
} from "@godwit/system";
import { daemonConfig, driverConfig, withDefaultUser } from "./libvirt-config.ts";
import { writeCertificates } from "./libvirt-pki.ts";

export const daemons = ["virtlogd", "libvirtd"] as const;
export type Daemon = (typeof daemons)[number];

const enter = fileURLToPath(new URL("enter.sh", import.meta.url));
const qemuUser = "godwit-qemu";
const readyLimitMs = 30_000;
/** On a busy machine libvirt asks QEMU what it can do for a quarter of a minute, before nearly any answer. */
const virshLimitMs = 180_000;
const sockets: Record<Daemon, string> = { virtlogd: "virtlogd-sock", libvirtd: "libvirt-sock" };
/** The folder of QMP sockets in the host's view. */
export const qmpFolder = "/run/peer";

export interface LibvirtHostOptions {
  name: string;
  /** Of its daemon, on the management network. */
  address: string;
  /** Of the streams of memory. */
  migrationAddress: string;
}

export class LibvirtHost {
  readonly name: string;
  readonly address: string;
  readonly migrationAddress: string;
  readonly #lab: Lab;
  readonly #processes = new Map<Daemon, ProcessIdentity>();

  private constructor(lab: Lab, { name, address, migrationAddress }: LibvirtHostOptions) {
    this.#lab = lab;
    this.name = name;
    this.address = address;
    this.migrationAddress = migrationAddress;
  }

  /** Both daemons run and answer. @throws PROGRAM_FAILED with a daemon's last words */
  static async start(
    lab: Lab,
    authority: KeyAndCertificate,
    options: LibvirtHostOptions,
  ): Promise<LibvirtHost> {
    const host = new LibvirtHost(lab, options);
    await host.#prepare(authority);
    for (const daemon of daemons) await host.startDaemon(daemon);
    return host;
  }

  /** All files of the host, seen from outside. */
  get folder(): string {
    return join(this.#lab.folder, "peer", this.name);
  }
  get pkiFolder(): string {
    return join(this.folder, "etc/pki");
  }

  daemonProcess(daemon: Daemon): ProcessIdentity | null {
    return this.#processes.get(daemon) ?? null;
  }

  async startDaemon(daemon: Daemon): Promise<void> {
    const log = await open(this.logOf(daemon), "a");
    try {
      const child = spawn("ip", this.#enterArguments(daemon), {
        detached: true,
        cwd: "/",
        stdio: ["ignore", log.fd, log.fd],
      });
      await once(child, "spawn");
      child.unref();
      const identity = child.pid === undefined ? null : await identifyProcess(child.pid);
      if (identity === null || !(await this.#answers(daemon, identity))) throw await this.#notStarted(daemon);
      this.#processes.set(daemon, identity);
      // It listens before its drivers are there, and answers after.
      if (daemon === "libvirtd")
        await this.virsh(["version"], { what: `waiting for ${daemon} on ${this.name}` });
    } finally {
      await log.close();
    }
  }

  /** Ends a daemon and waits until it is gone; QEMUs run on. */
  async endDaemon(daemon: Daemon, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const identity = this.daemonProcess(daemon);
    if (identity !== null) await endProcess(identity, signal, 10_000);
  }

  /**
   * virsh in the host's network, connected to its daemon.
   * @throws PROGRAM_FAILED with virsh's own words
   */
  async virsh(
    args: readonly string[],
    options: { what: string; timeoutMs?: number; okCodes?: readonly number[]; signal?: AbortSignal },
  ): Promise<RunResult> {
    const uri = `qemu:///system?socket=${this.#socket("libvirtd")}`;
    return await run(
      "ip",
      ["netns", "exec", this.#lab.namespace(this.name), "virsh", "-q", "-c", uri, ...args],
      { timeoutMs: virshLimitMs, ...options, env: { HOME: this.folder } },
    );
  }

  logOf(daemon: Daemon): string {
    return this.#lab.logOf(`${daemon}-${this.name}`);
  }
  /** A domain's QMP socket, seen from outside. */
  qmpSocket(domain: string): string {
    return join(this.folder, "run/peer", `${domain}.sock`);
  }

  async #prepare(authority: KeyAndCertificate): Promise<void> {
    const qemu = await userIds(qemuUser);
    for (const path of [
      "etc",
      "run/peer",
      "var/lib/libvirt",
      "var/lib/godwit/shared",
      "var/log",
      "var/cache",
    ])
      await mkdir(join(this.folder, path), { recursive: true });
    await chown(join(this.folder, "run/peer"), qemu.uid, qemu.gid);
    const identity = { uuid: randomUUID(), address: this.address };
    await writeFile(join(this.folder, "etc/libvirtd.conf"), daemonConfig(identity));
    await writeFile(join(this.folder, "etc/qemu.conf"), driverConfig(qemuUser));
    for (const kind of ["passwd", "group"] as const) {
      const text = await readFile(`/etc/${kind}`, "utf8");
      await writeFile(join(this.folder, kind), withDefaultUser(text, kind, qemu));
    }
    // A host can look up its own name.
    await writeFile(join(this.folder, "hosts"), `127.0.0.1 localhost\n${this.address} ${this.name}\n`);
    const ipAddresses = [this.address, this.migrationAddress];
    await writeCertificates(this.pkiFolder, authority, { name: this.name, ipAddresses, reader: qemu });
  }

  #enterArguments(daemon: Daemon): string[] {
    return [
      ...["netns", "exec", this.#lab.namespace(this.name), "unshare", "--mount", "--uts", "--"],
      ...["sh", enter, this.name, this.folder, this.#lab.sharedFolder],
      ...[`/usr/sbin/${daemon}`, ...(daemon === "libvirtd" ? ["--listen"] : [])],
    ];
  }

  #socket(daemon: Daemon): string {
    return join(this.folder, "run/libvirt", sockets[daemon]);
  }

  /** A daemon tells only systemd that it is ready; so it is asked. */
  async #answers(daemon: Daemon, identity: ProcessIdentity): Promise<boolean> {
    const until = performance.now() + readyLimitMs;
    while (performance.now() < until && (await isAlive(identity))) {
      const socket = connect(this.#socket(daemon));
      const open = await once(socket, "connect").then(
        () => true,
        () => false,
      );
      socket.destroy();
      if (open) return true;
      await sleep(50);
    }
    return false;
  }

  async #notStarted(daemon: Daemon): Promise<GodwitError> {
    const words = (await readFile(this.logOf(daemon), "utf8")).trim().split("\n").slice(-4).join(" / ");
    return GodwitError.of("PROGRAM_FAILED", {
      program: daemon,
      what: `starting on host ${this.name}`,
      output: words,
    });
  }
}
