/**
 * A server of the rack: a Debian with a kernel of its own in a QEMU that emulates the processor, AMD's virtualization with
 * it. Its power switch, reset button, cables and clock are reached from outside; programs on it run by the guest agent,
 * whether or not its networks work. It outlives the program that started it.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GodwitError } from "@godwit/contract";
import { QmpSession } from "@godwit/qmp";
import { aborted, endProcess, identifyProcess, isAlive, sleep, until, type RunResult } from "@godwit/system";
import { agentAnswers, execute } from "./guest-agent.ts";
import { addressOf, namespaceOf, plugIn, sentPackets, setSending, type Network } from "./networks.ts";
import { rackFolder } from "./names.ts";
import type { RackFile, ServerRecord } from "./rack-file.ts";
import { restore, save, type SavedState } from "./saved-state.ts";
import { filesIn, qemuArguments, type ServerFiles, type ServerSpec } from "./server-spec.ts";

const bootLimitMs = 1_800_000;
const programLimitMs = 1_800_000;
const qemuLimitMs = 60_000;
const rateOverMs = 10_000;
const mostBoots = 5;
/** Far wider than the answers' own delays make it, and far narrower than what a wrong TSC does. */
const isRight = (rate: number): boolean => rate > 0.5 && rate < 2;

/** The rack as its servers see it. */
export interface OpenRack {
  readonly file: RackFile;
  readonly save: () => Promise<void>;
}

export class Server {
  readonly spec: ServerSpec;
  readonly files: ServerFiles;
  readonly folder: string;
  readonly #rack: OpenRack;
  readonly #record: ServerRecord;

  constructor(rack: OpenRack, record: ServerRecord) {
    this.#rack = rack;
    this.#record = record;
    this.spec = record.spec;
    this.folder = join(rackFolder(rack.file.id), record.spec.name);
    this.files = filesIn(this.folder);
  }

  get name(): string {
    return this.spec.name;
  }

  address(network: Network): string {
    return addressOf(network, this.spec.number);
  }

  async isOn(): Promise<boolean> {
    return this.#record.process !== null && (await isAlive(this.#record.process));
  }

  /** Its power is switched on. @param from a state that was saved; else it boots. @throws PROGRAM_FAILED */
  async powerOn(from?: SavedState): Promise<void> {
    if (await this.isOn()) return;
    const { id, qemu, nice } = this.#rack.file;
    const argv = qemuArguments(this.spec, this.files, this.#record.boot, from !== undefined);
    const messages = await open(this.files.messages, "a");
    const child = spawn("ip", ["netns", "exec", namespaceOf(id), qemu, ...argv], {
      detached: true,
      cwd: "/",
      stdio: ["ignore", messages.fd, messages.fd],
    });
    // Both are told at once: who listens after another wait misses them. `once` fails on "error".
    await once(child, "spawn");
    await messages.close();
    const identity = await identifyProcess(child.pid ?? 0);
    this.#record.process = identity;
    await this.#rack.save();
    child.unref();
    if (identity === null) throw await this.#failure("starting it");
    // Its own session is a group of the kernel's scheduler: what it takes is bounded as a whole.
    await writeFile(`/proc/${String(identity.pid)}/autogroup`, String(nice)).catch(() => undefined);
    // QEMU makes its sockets when it is ready, and tells nobody.
    const qmp = await until(async () => await this.#connect(), { everyMs: 100, limitMs: qemuLimitMs });
    if (qmp === null) throw await this.#failure("starting it");
    try {
      await plugIn(id, this.spec.number);
      if (from !== undefined) await restore(qmp, from);
    } finally {
      qmp.close();
    }
  }

  /**
   * Waits until systemd has started everything and its clock runs as this machine's does: on a busy one a kernel may
   * measure its processor's TSC wrongly, and then starts again. @throws PROGRAM_FAILED
   */
  async booted(): Promise<void> {
    for (let boots = 1; ; boots++) {
      await this.#systemStarted();
      const rate = await this.clockRate();
      if (isRight(rate)) return;
      if (boots === mostBoots)
        throw await this.#failure(`its clock runs ${rate.toFixed(1)} times as fast as it should`);
      await this.reset();
    }
  }

  /** How many seconds pass on it in one of this machine's, roughly. @throws PROGRAM_FAILED */
  async clockRate(): Promise<number> {
    const look = async () => {
      const before = performance.now();
      const uptime = Number((await this.run("cat", "/proc/uptime")).split(" ")[0]);
      return { uptime, at: (before + performance.now()) / 2000 };
    };
    const first = await look();
    await sleep(rateOverMs);
    const last = await look();
    return (last.uptime - first.uptime) / (last.at - first.at);
  }

  async #systemStarted(): Promise<void> {
    // A kernel that boots tells nobody outside.
    const state = await until(
      async () => {
        if (!(await agentAnswers(this.files.agent, 20_000))) return null;
        const { stdout } = await this.try("systemctl", "is-system-running");
        return ["running", "degraded"].includes(stdout) ? stdout : null;
      },
      { everyMs: 2000, limitMs: bootLimitMs },
    );
    if (state === null) throw await this.#failure("booting it");
  }

  /** Keeps what it is now, and switches it off. */
  async save(state: SavedState): Promise<void> {
    await this.#withQmp(async (qmp) => {
      await save(qmp, this.files, state);
    });
    this.#record.process = null;
    await this.#rack.save();
  }

  /**
   * The power is cut: its processor stops at once, and what it has written stays. (QEMU ends in order, because it keeps
   * what an image's metadata is in its memory: ended by force, it would lose what the server has flushed.)
   */
  async powerOff(): Promise<void> {
    if (this.#record.process !== null) await endProcess(this.#record.process, "SIGTERM", qemuLimitMs);
    this.#record.process = null;
    await this.#rack.save();
  }

  /** The reset button. */
  async reset(): Promise<void> {
    await this.#withQmp(async (qmp) => await qmp.execute("system_reset"));
  }

  /**
   * Resolves when it is reset next, by the button, its own kernel or its watchdog. Nothing else may use its switches meanwhile.
   * @returns false when the signal came first, or its power was cut
   */
  async nextReset(over: AbortSignal): Promise<boolean> {
    return await this.#withQmp(async (qmp) => {
      const reset = Promise.withResolvers<boolean>();
      qmp.onEvent(({ name }) => {
        if (name === "RESET") reset.resolve(true);
      });
      return await Promise.race([
        reset.promise,
        aborted(over).then(() => false),
        qmp.ended.then(() => false),
      ]);
    });
  }

  /** Its kernel panics, and resets it by the boot's `panic=`. Resolves with that reset. @throws PROGRAM_FAILED */
  async panic(): Promise<void> {
    const over = AbortSignal.timeout(bootLimitMs);
    const reset = this.nextReset(over);
    // The guest agent answers before its kernel is gone.
    await this.shell("(sleep 2; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &");
    if (!(await reset)) throw await this.#failure("resetting itself after a panic");
  }

  /** Stops or continues all of it, as a hypervisor would: its clock stands still with it. */
  async setFrozen(frozen: boolean): Promise<void> {
    await this.#withQmp(async (qmp) => await qmp.execute(frozen ? "stop" : "cont"));
  }

  /** Pulls a cable or plugs it in: the server sees the carrier go. */
  async setCable(network: Network, plugged: boolean): Promise<void> {
    await this.#withQmp(
      async (qmp) => await qmp.execute("set_link", { name: `nic-${network}`, up: plugged }),
    );
  }

  /** Cuts or restores what it sends to a network; the carrier stays, and what is sent to it arrives. */
  async setSending(network: Network, open: boolean): Promise<void> {
    await setSending(this.#rack.file.id, network, this.spec.number, open);
  }

  /** Packets that it has sent to all of its networks since it was switched on. */
  async sentPackets(): Promise<number> {
    return await sentPackets(this.#rack.file.id, this.spec.number);
  }

  /** @param aheadMs of this machine's clock */
  async setClock(aheadMs = 0): Promise<void> {
    await this.run("date", "--set", `@${((Date.now() + aheadMs) / 1000).toFixed(3)}`);
  }

  /** Runs a program on it. @returns what it printed. @throws PROGRAM_FAILED with its last words */
  async run(...argv: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.try(...argv);
    if (exitCode === 0) return stdout;
    throw GodwitError.of("PROGRAM_FAILED", {
      program: argv[0] ?? "",
      what: this.#what(argv),
      output: `ended with ${String(exitCode)}: ${`${stdout}\n${stderr}`.trim().split("\n").slice(-12).join("\n")}`,
    });
  }

  /** As `run`, for a program that may fail. @throws PROGRAM_FAILED when the server does not answer */
  async try(...argv: readonly string[]): Promise<RunResult> {
    return await execute(this.files.agent, ["/usr/bin/env", ...environment, ...argv], {
      what: this.#what(argv),
      limitMs: programLimitMs,
    });
  }

  /** Lines of a shell, as an administrator types them. @throws PROGRAM_FAILED */
  async shell(lines: string): Promise<string> {
    return await this.run("bash", "-euc", lines);
  }

  async write(path: string, content: string): Promise<void> {
    await execute(this.files.agent, ["/bin/sh", "-c", 'mkdir -p "${0%/*}" && cat >"$0"', path], {
      what: `writing ${path} on ${this.name}`,
      limitMs: programLimitMs,
      input: content,
    });
  }

  /** A file of this machine's, copied piece by piece. */
  async copy(from: string, to: string): Promise<void> {
    const content = await readFile(from);
    await this.run("mkdir", "-p", to.slice(0, to.lastIndexOf("/")));
    await this.run("rm", "-f", to);
    for (let at = 0; at < content.length; at += pieceBytes) {
      const piece = content.subarray(at, at + pieceBytes);
      await execute(this.files.agent, ["/bin/sh", "-c", 'cat >>"$0"', to], {
        what: `writing ${to} on ${this.name}`,
        limitMs: programLimitMs,
        input: piece,
      });
    }
  }

  #what(argv: readonly string[]): string {
    return `running ${argv.slice(0, 4).join(" ").slice(0, 80)} on ${this.name}`;
  }

  async #connect(): Promise<QmpSession | null> {
    if (!(await this.isOn())) return null;
    return await QmpSession.connect(this.files.qmp, { timeoutMs: qemuLimitMs }).catch(() => null);
  }

  async #withQmp<T>(use: (qmp: QmpSession) => Promise<T>): Promise<T> {
    const qmp = await QmpSession.connect(this.files.qmp, { timeoutMs: qemuLimitMs });
    try {
      return await use(qmp);
    } finally {
      qmp.close();
    }
  }

  async #failure(what: string): Promise<GodwitError> {
    const tail = async (path: string) => (await readFile(path, "utf8").catch(() => "")).slice(-400);
    return GodwitError.of("PROGRAM_FAILED", {
      program: `server ${this.name}`,
      what,
      output: `${await tail(this.files.messages)}\n${await tail(this.files.console)}`,
    });
  }
}

/** Of one message to the guest agent, which takes no longer ones than some MiB. */
const pieceBytes = 1024 * 1024;

/** Programs that a service starts have no more than this; so has an administrator's shell. */
const environment = [
  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  ...["HOME=/root", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"],
];
