/**
 * The guest in one host's QEMU: started by itself, or as the destination of a migration as Godwit starts it
 * (`-S`, return path, late block activation). It is asked for its state over QMP; its marks are read elsewhere.
 */
import { join } from "node:path";
import { GodwitError } from "@godwit/contract";
import { Program } from "@godwit/lab";
import { QmpSession } from "@godwit/qmp";
import type { Disk, Place } from "./disks/disk.ts";
import type { Leases } from "./leases.ts";
import { uuidOf, type HostName } from "./marks.ts";
import { sleep } from "@godwit/system";

export interface GuestOptions {
  host: HostName;
  place: Place;
  disk: Disk;
  /** Without leases nobody is asked. */
  lease: { leases: Leases; vm: number } | null;
  /** Waits for the guest of another host. */
  isDestination: boolean;
}

const capabilities = ["events", "return-path", "late-block-activate"];
const moveLimitMs = 120_000;

export class Guest implements AsyncDisposable {
  readonly host: HostName;
  readonly #program: Program;
  readonly #qmp: QmpSession;

  private constructor(host: HostName, program: Program, qmp: QmpSession) {
    this.host = host;
    this.#program = program;
    this.#qmp = qmp;
  }

  /** @throws PROGRAM_FAILED with the last words of QEMU, or of sanlock that did not let it start */
  static async start({ host, place, disk, lease, isDestination }: GuestOptions): Promise<Guest> {
    const socket = join(place.folder, `${host}.sock`);
    const qemu = [
      ...["/usr/bin/qemu-system-x86_64", "-machine", "pc,accel=tcg", "-m", "16", "-uuid", uuidOf(host)],
      ...["-nodefaults", "-display", "none", "-vga", "none"],
      ...[...disk.argumentsOn(host), "-device", "virtio-blk-pci,drive=disk"],
      ...["-chardev", `socket,id=qmp,path=${socket},server=on,wait=off`, "-mon", "chardev=qmp,mode=control"],
      ...(isDestination ? ["-S", "-incoming", "defer"] : []),
    ];
    const { argv, env } =
      lease === null
        ? { argv: qemu, env: {} }
        : lease.leases.starting(host, qemu, isDestination ? undefined : lease.vm);
    const program = await Program.start({
      what: `QEMU of host ${host}`,
      argv: ["ip", "netns", "exec", place.namespace, ...argv],
      env,
    });
    const qmp = await connect(program, socket);
    if (qmp !== null) return new Guest(host, program, qmp);
    const output = program.lastWords;
    await program.end();
    throw GodwitError.of("PROGRAM_FAILED", {
      program: "qemu-system-x86_64",
      what: `on host ${host}`,
      output,
    });
  }

  get pid(): number {
    return this.#program.pid;
  }

  async isRunning(): Promise<boolean> {
    return (await this.#qmp.execute("query-status")).running;
  }

  /** @throws QMP_REFUSED when QEMU does not get its image lock */
  async continue(): Promise<void> {
    await this.#qmp.execute("cont");
  }

  /**
   * Migrates to another host's QEMU; afterwards the source has completed, the destination has loaded
   * everything, and neither runs.
   */
  async migrateTo(destination: Guest, folder: string): Promise<void> {
    const uri = `unix:${join(folder, "migration.sock")}`;
    for (const { qmp } of [{ qmp: this.#qmp }, { qmp: destination.#qmp }])
      await qmp.execute("migrate-set-capabilities", {
        capabilities: capabilities.map((capability) => ({ capability, state: true })),
      });
    const completed = [this.#qmp, destination.#qmp].map((qmp) =>
      qmp.nextEvent(({ name, data }) => name === "MIGRATION" && data.status === "completed", moveLimitMs),
    );
    await destination.#qmp.execute("migrate-incoming", { uri });
    // Godwit's order: the source itself stops the guest, so that no failure lets QEMU resume it.
    await this.#qmp.execute("stop");
    await this.#qmp.execute("migrate", { uri });
    await Promise.all(completed);
    // QEMU tells that it has completed before it lets anybody have its guest run.
    while ((await this.#qmp.execute("query-status")).status === "finish-migrate") await sleep(10);
  }

  async end(): Promise<void> {
    this.#qmp.close();
    await this.#program.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}

/** Null when QEMU ended instead of answering. */
async function connect(program: Program, socket: string): Promise<QmpSession | null> {
  while (!program.isOver) {
    const session = await QmpSession.connect(socket).catch(() => null);
    if (session !== null) return session;
    // QEMU says nothing when it listens.
    await Promise.race([program.ended, sleep(20)]);
  }
  return null;
}
