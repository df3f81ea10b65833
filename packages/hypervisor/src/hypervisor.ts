/**
 * Starts QEMU processes that outlive the agent, and finds them again. A process is started with its vCPUs
 * stopped, under its own user, in its own session (a unit of its own where systemd runs); what it was
 * started from is written beside it before anyone relies on it.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, chown, mkdir, open, readdir, readFile, rm } from "node:fs/promises";
import { GodwitError, type QemuFacts } from "@godwit/contract";
import { QmpSession } from "@godwit/qmp";
import {
  endProcess,
  identifyProcess,
  isAlive,
  readFileOrNull,
  run,
  userIds,
  type ProcessIdentity,
} from "@godwit/system";
import { commandLine } from "./command-line.ts";
import { runPaths, type LaunchSpec, type RunPaths } from "./launch-spec.ts";
import { connectWhenReady, qemuFacts } from "./qemu-facts.ts";
import { lastMessages, QemuProcess, startFailed } from "./qemu-process.ts";
import { parseRuntime, writeRuntime } from "./runtime-file.ts";
import { asUser } from "./user.ts";

export interface HypervisorOptions {
  host: string;
  binary: string;
  firmwareFolder?: string;
  user: string;
  /** Of running processes; gone after a reboot, as they are. */
  runFolder: string;
  cacheFolder: string;
}

/** A process that ran when the last agent looked, and has ended. */
export interface EndedProcess {
  spec: LaunchSpec;
  reason: string;
}

/**
 * How a QEMU is started, where that is not this program's business: given its argument vector and the file for
 * its messages, returns a function that tells whether it has ended.
 */
export type Launch = (argv: readonly string[], log: string) => Promise<() => boolean | Promise<boolean>>;

/** The kernel kills it when its parent ends; set last, because a change of user resets it. */
const killWithParent = ["setpriv", "--pdeathsig", "KILL", "--"];

export class Hypervisor {
  readonly #options: HypervisorOptions;
  readonly #prefix: string[];

  private constructor(options: HypervisorOptions, prefix: string[]) {
    this.#options = options;
    this.#prefix = prefix;
  }

  /** @throws USAGE when QEMU's user does not exist; PROGRAM_MISSING */
  static async open(options: HypervisorOptions): Promise<Hypervisor> {
    await mkdir(`${options.runFolder}/vms`, { recursive: true, mode: 0o755 });
    return new Hypervisor(options, await asUser(options.user));
  }

  async facts(): Promise<QemuFacts> {
    return (await qemuFacts(this.#options, this.#options.cacheFolder)).facts;
  }

  /** What each of QEMU's CPU models has switched on: names of its properties. */
  async modelFeatures(): Promise<Readonly<Record<string, readonly string[]>>> {
    return (await qemuFacts(this.#options, this.#options.cacheFolder)).modelFeatures;
  }

  /**
   * Starts a QEMU with its vCPUs stopped: `resume` lets them run.
   * @param launch starts it instead, as a child of a process that it must not outlive
   * @throws VM_START_FAILED with QEMU's own words; nothing is left behind then
   */
  async start(spec: LaunchSpec, launch: Launch | null = null): Promise<QemuProcess> {
    const paths = runPaths(this.#options.runFolder, spec.vm.id);
    await this.#prepareFolder(paths);
    try {
      const gone = await (launch === null
        ? this.#spawn(spec, paths)
        : launch(this.#argv(spec, paths, killWithParent), paths.log));
      const session = await connectWhenReady(paths.qmp, gone);
      const identity = await this.#startedPid(paths);
      if (identity === null) throw new Error("it ended at once");
      const startedAt = new Date().toISOString();
      await writeRuntime(paths, { spec, identity, startedAt });
      return new QemuProcess({ spec, paths, identity, startedAt, session });
    } catch (error) {
      const identity = await this.#startedPid(paths);
      if (identity !== null) await endProcess(identity, "SIGKILL", 0);
      const reason = await lastMessages(paths.log);
      await rm(paths.folder, { recursive: true, force: true });
      throw startFailed(
        spec,
        this.#options.host,
        GodwitError.is(error, "QMP_INTERRUPTED") ? reason : String(error),
        error,
      );
    }
  }

  /**
   * The processes that run; those that ended since the last agent, whose run folders are removed; and those that
   * live but do not answer: such a VM may run, and is left alone.
   */
  async adopt(): Promise<{ processes: QemuProcess[]; ended: EndedProcess[]; unresponsive: LaunchSpec[] }> {
    const processes: QemuProcess[] = [];
    const ended: EndedProcess[] = [];
    const unresponsive: LaunchSpec[] = [];
    for (const vmId of await readdir(`${this.#options.runFolder}/vms`)) {
      const paths = runPaths(this.#options.runFolder, vmId);
      const text = await readFileOrNull(paths.runtime);
      if (text === null) {
        await this.#clearUnfinished(paths);
        continue;
      }
      const { spec, identity, startedAt } = parseRuntime(text);
      const session = (await isAlive(identity)) ? await connect(paths, identity) : null;
      if (session === null && (await isAlive(identity))) {
        unresponsive.push(spec);
      } else if (session === null) {
        ended.push({ spec, reason: await lastMessages(paths.log) });
        await rm(paths.folder, { recursive: true, force: true });
      } else {
        processes.push(new QemuProcess({ spec, paths, identity, startedAt, session }));
      }
    }
    return { processes, ended, unresponsive };
  }

  /** A start that its agent did not finish: the process is unknown to everyone, so it is ended. */
  async #clearUnfinished(paths: RunPaths): Promise<void> {
    const identity = await this.#startedPid(paths);
    if (identity !== null) await endProcess(identity, "SIGKILL", 0);
    await rm(paths.folder, { recursive: true, force: true });
  }

  async #prepareFolder(paths: RunPaths): Promise<void> {
    await rm(paths.folder, { recursive: true, force: true });
    await mkdir(paths.folder, { recursive: true });
    const { uid, gid } = await userIds(this.#options.user);
    await chown(paths.folder, uid, gid);
    await chmod(paths.folder, 0o750);
  }

  #argv(spec: LaunchSpec, paths: RunPaths, before: readonly string[] = []): string[] {
    const { binary, firmwareFolder } = this.#options;
    const firmware = firmwareFolder === undefined ? {} : { firmwareFolder };
    return [...this.#prefix, ...before, binary, ...commandLine(spec, paths, firmware)];
  }

  /** @returns a function that tells whether the process has ended again */
  async #spawn(spec: LaunchSpec, paths: RunPaths): Promise<() => boolean | Promise<boolean>> {
    const argv = this.#argv(spec, paths);
    if (existsSync("/run/systemd/system")) {
      const unit = `godwit-vm-${spec.vm.id}`;
      await run(
        "systemd-run",
        [
          ...[
            `--unit=${unit}`,
            "--collect",
            "--service-type=exec",
            `--description=Godwit VM ${spec.vm.name}`,
          ],
          ...[
            `--property=StandardOutput=append:${paths.log}`,
            `--property=StandardError=append:${paths.log}`,
          ],
          ...["--property=KillMode=process", "--", ...argv],
        ],
        { what: `starting VM ${spec.vm.name}` },
      );
      return async () => {
        const words = { what: `looking at unit ${unit}`, okCodes: [0, 3, 4] };
        return (await run("systemctl", ["is-active", "--quiet", unit], words)).exitCode !== 0;
      };
    }
    const log = await open(paths.log, "a", 0o640);
    try {
      const [program = "", ...args] = argv;
      const child = spawn(program, args, { detached: true, stdio: ["ignore", log.fd, log.fd], cwd: "/" });
      await once(child, "spawn");
      child.unref();
      return () => child.exitCode !== null || child.signalCode !== null;
    } finally {
      await log.close();
    }
  }

  /** The process of a run folder by QEMU's pid file; null before it is written, or when the process is gone. */
  async #startedPid(paths: RunPaths): Promise<ProcessIdentity | null> {
    const text = await readFile(paths.pidFile, "utf8").catch(() => "");
    const pid = Number.parseInt(text, 10);
    return Number.isInteger(pid) ? await identifyProcess(pid) : null;
  }
}

/** A live process whose QMP does not answer is tried for a while: its last client may not be gone yet. */
async function connect(paths: RunPaths, identity: ProcessIdentity): Promise<QmpSession | null> {
  return await connectWhenReady(paths.qmp, async () => !(await isAlive(identity)), 30_000).catch(() => null);
}
