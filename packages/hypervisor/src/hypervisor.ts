/**
 * Starts QEMU processes that outlive the agent, and finds them again. A process is started with its vCPUs
 * stopped, under a user of its VM's own, in its own session (a unit of its own where systemd runs); what it was
 * started from is written beside it before anyone relies on it. Its run folder belongs to root: QEMU has what it
 * needs there open (`launch-qemu.pl`), and can change none of what the agent reads.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants, existsSync } from "node:fs";
import { mkdir, readdir, realpath, rm } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { GodwitError, spaceShort, vmIdSchema, type QemuFacts, type VmId } from "@godwit/contract";
import { QmpSession } from "@godwit/qmp";
import {
  endProcess,
  identifyProcess,
  isAlive,
  isAliveOrUnknown,
  limitProperties,
  openChecked,
  outlivingProperties,
  processArguments,
  readCheckedOrNull,
  requireSpace,
  run,
  sleep,
  systemdRuns,
  userIds,
  type ProcessIdentity,
  type UnitLimits,
  type UserIds,
} from "@godwit/system";
import { readAppArmor } from "./app-armor.ts";
import { commandLine } from "./command-line.ts";
import { confined } from "./confinement.ts";
import { vmLimits } from "./limits.ts";
import { runDescriptors, runPaths, type LaunchSpec, type RunPaths } from "./launch-spec.ts";
import { connectWhenReady, qemuFacts, CachedQemuFacts } from "./qemu-facts.ts";
import { lastMessages, QemuProcess, startFailed } from "./qemu-process.ts";
import { hasListener, prepareRunFolder, takeOver } from "./run-folder.ts";
import { parseRuntime, writeRuntime } from "./runtime-file.ts";
import { prepareTpm, withTpm } from "./tpm.ts";
import { asUser, kvmGroup } from "./user.ts";
import { vmUnit } from "./unit.ts";

export interface HypervisorOptions {
  host: string;
  binary: string;
  firmwareFolder?: string;
  /** Whom VMs share that have no user of their own. */
  user: string;
  /** Of running processes; gone after a reboot, as they are. */
  runFolder: string;
  cacheFolder: string;
  /** Folders that QEMU reads beside its own. */
  readableFolders?: readonly string[];
}

/** A process that ran when the last agent looked, and has ended. */
export interface EndedProcess {
  spec: LaunchSpec;
  reason: string;
}

/** What an earlier agent left. */
export interface Adopted {
  processes: QemuProcess[];
  /** Their run folders are removed. */
  ended: EndedProcess[];
  /** They live but do not answer, or could not be looked at: such a VM may run, and is left alone. */
  unresponsive: LaunchSpec[];
  /** What is noted of them cannot be relied on: such a VM may run, and is left alone. */
  quarantined: { vmId: VmId; error: GodwitError }[];
}

/**
 * How a QEMU is started, where that is not this program's business: given its argument vector, the file for
 * its messages, what it may use and where it writes to, returns a function that tells whether it has ended.
 */
export type Launch = (
  argv: readonly string[],
  log: string,
  limits: UnitLimits,
  storage: WrittenStorage,
) => Promise<() => boolean | Promise<boolean>>;

/** What a QEMU and its TPM write to: image files by their absolute paths, iSCSI portals (`ADDRESS:PORT`) that it is a client of, and the folder of the TPM's state. */
export interface WrittenStorage {
  images: readonly string[];
  portals: readonly string[];
  states: readonly string[];
}

export const writtenStorage = ({
  diskPaths,
  luns,
  uefi,
  tpm,
}: Pick<LaunchSpec, "diskPaths" | "luns" | "uefi" | "tpm">): WrittenStorage => ({
  images: [...Object.values(diskPaths), ...(uefi === undefined ? [] : [uefi.nvramPath])],
  portals: [...new Set(Object.values(luns).map(({ portal }) => portal))],
  states: tpm === undefined ? [] : [tpm.folder],
});

const rootFolder = ({ runFolder }: HypervisorOptions): string => `${runFolder}/root`;

/** The kernel kills it when its parent ends; set last, because a change of user resets it. */
const killWithParent = ["setpriv", "--pdeathsig", "KILL", "--"];
/** For a QEMU that lives: until it has made its machine, with all of its memory where that is taken at once. */
const startLimitMs = 180_000;
/** What a VM's process may come to need in its run folder: sockets, and logs that are limited (`LogLimit` of the agent). */
const runFolderBytes = 16 * 1024 * 1024;
const launcher = fileURLToPath(new URL("launch-qemu.pl", import.meta.url));

export class Hypervisor {
  readonly #options: HypervisorOptions;
  readonly #sharedUser: UserIds;
  readonly #kvmGid: string | null;
  /** QEMU's binary without links. */
  readonly #realBinary: string;
  readonly #facts: CachedQemuFacts;

  private constructor(
    options: HypervisorOptions,
    sharedUser: UserIds,
    kvmGid: string | null,
    realBinary: string,
  ) {
    this.#options = options;
    this.#sharedUser = sharedUser;
    this.#kvmGid = kvmGid;
    this.#realBinary = realBinary;
    this.#facts = new CachedQemuFacts(options.binary, () => qemuFacts(options, options.cacheFolder));
  }

  /** @throws USAGE when QEMU's user does not exist; PROGRAM_MISSING */
  static async open(options: HypervisorOptions): Promise<Hypervisor> {
    await mkdir(`${options.runFolder}/vms`, { recursive: true, mode: 0o755 });
    await mkdir(rootFolder(options), { recursive: true, mode: 0o755 });
    const { binary } = options;
    const realBinary = binary.startsWith("/") ? await realpath(binary).catch(() => binary) : binary;
    return new Hypervisor(options, await userIds(options.user), await kvmGroup(), realBinary);
  }

  async facts(): Promise<QemuFacts> {
    return (await this.#facts.now()).facts;
  }

  /** What each of QEMU's CPU models has switched on: names of its properties. */
  async modelFeatures(): Promise<Readonly<Record<string, readonly string[]>>> {
    return (await this.#facts.now()).modelFeatures;
  }

  /**
   * Starts a QEMU with its vCPUs stopped: `resume` lets them run.
   * @param launch starts it instead, as a child of a process that it must not outlive
   * @throws VM_START_FAILED with QEMU's own words, SPACE_SHORT; nothing is left behind then
   */
  async start(spec: LaunchSpec, launch: Launch | null = null): Promise<QemuProcess> {
    const paths = runPaths(this.#options.runFolder, spec.vm.id);
    await requireSpace(`${this.#options.runFolder}/vms`, runFolderBytes);
    await prepareRunFolder(paths, this.#userOf(spec));
    try {
      await prepareTpm(spec, paths, this.#userOf(spec));
      const gone = await (launch === null
        ? this.#spawn(spec, paths, await this.#argv(spec, paths))
        : launch(
            await this.#argv(spec, paths, killWithParent),
            paths.log,
            vmLimits(spec),
            writtenStorage(spec),
          ));
      const session = await connectWhenReady(paths.qmp, gone, startLimitMs);
      const identity = await this.#startedProcess(paths);
      if (identity === null) throw new Error("it ended at once");
      const startedAt = new Date().toISOString();
      await writeRuntime(paths, { spec, identity, startedAt });
      return new QemuProcess({ spec, paths, identity, startedAt, session, user: this.#userOf(spec) });
    } catch (error) {
      await this.#endStarted(paths);
      const reason = await lastMessages(paths.log);
      await rm(paths.folder, { recursive: true, force: true });
      const full = spaceShort(error, paths.folder);
      if (full !== null) throw full;
      throw startFailed(
        spec,
        this.#options.host,
        GodwitError.is(error, "QMP_INTERRUPTED") ? reason : String(error),
        error,
      );
    }
  }

  /** The processes that run, and what became of others that ran when the last agent looked: one bad folder concerns one VM. */
  async adopt(): Promise<Adopted> {
    const adopted: Adopted = { processes: [], ended: [], unresponsive: [], quarantined: [] };
    for (const name of await readdir(`${this.#options.runFolder}/vms`)) {
      const vmId = vmIdSchema.safeParse(name);
      if (!vmId.success) continue; // not of this program
      await this.#adoptOrQuarantine(vmId.data, adopted, () => this.#adopt(vmId.data, adopted));
    }
    return adopted;
  }

  /**
   * The same for one VM, later. A run folder that an operator has removed or emptied, or a start that was cut off, is
   * no process once none with the VM's id runs; none is ended here. Nothing in the answer: there is none.
   */
  async adoptOne(vmId: VmId): Promise<Adopted> {
    const adopted: Adopted = { processes: [], ended: [], unresponsive: [], quarantined: [] };
    const { folder, runtime } = runPaths(this.#options.runFolder, vmId);
    await this.#adoptOrQuarantine(vmId, adopted, async () => {
      if (existsSync(runtime)) {
        await this.#adopt(vmId, adopted);
        return;
      }
      const pid = await pidOf(vmId);
      if (pid !== null) throw new Error(`there is no runtime.json, and process ${String(pid)} is its QEMU`);
      await rm(folder, { recursive: true, force: true });
    });
    return adopted;
  }

  async #adoptOrQuarantine(vmId: VmId, adopted: Adopted, adopt: () => Promise<void>): Promise<void> {
    try {
      await adopt();
    } catch (error) {
      const { host, runFolder } = this.#options;
      const reason = error instanceof Error ? error.message : String(error);
      const details = { vm: vmId, host, folder: `${runFolder}/vms/${vmId}`, reason };
      const quarantine = GodwitError.of("VM_RUN_FOLDER_INVALID", details, { cause: error });
      adopted.quarantined.push({ vmId, error: quarantine });
    }
  }

  /** @throws Error when what is noted cannot be relied on */
  async #adopt(vmId: VmId, { processes, ended, unresponsive }: Adopted): Promise<void> {
    const paths = runPaths(this.#options.runFolder, vmId);
    await takeOver(paths.folder);
    const text = await readCheckedOrNull(paths.runtime);
    if (text === null) {
      await this.#clearUnfinished(paths);
      return;
    }
    const { spec, identity, startedAt } = parseRuntime(text);
    if (spec.vm.id !== vmId) throw new Error(`runtime.json is of VM ${spec.vm.id}`);
    const lives = await isAliveOrUnknown(identity);
    if (lives === false) {
      // The process is gone by its pid and start time, unless these are wrong.
      if (await hasListener(paths.qmp))
        throw new Error(`process ${String(identity.pid)} is gone, but somebody listens on its QMP socket`);
      ended.push({ spec, reason: await lastMessages(paths.log) });
      await rm(paths.folder, { recursive: true, force: true });
      return;
    }
    if (lives && !(await isOf(identity, vmId)))
      throw new Error(`process ${String(identity.pid)} is not its QEMU`);
    const session = lives ? await connect(paths, identity) : null;
    if (session === null) unresponsive.push(spec);
    else
      processes.push(
        new QemuProcess({ spec, paths, identity, startedAt, session, user: this.#userOf(spec) }),
      );
  }

  /** A start that its agent did not finish: the process is unknown to everyone, so it is ended. */
  async #clearUnfinished(paths: RunPaths): Promise<void> {
    await this.#endStarted(paths);
    await rm(paths.folder, { recursive: true, force: true });
  }

  #userOf({ user }: LaunchSpec): UserIds {
    return user ?? this.#sharedUser;
  }

  async #argv(spec: LaunchSpec, paths: RunPaths, before: readonly string[] = []): Promise<string[]> {
    const { profile } = await readAppArmor();
    const { binary, firmwareFolder, readableFolders = [] } = this.#options;
    const firmware = firmwareFolder === undefined ? {} : { firmwareFolder };
    const root = rootFolder(this.#options);
    const view = confined(spec, {
      root,
      binary: this.#realBinary,
      runFolder: paths.folder,
      readable: [...readableFolders, ...(firmwareFolder === undefined ? [] : [firmwareFolder])],
    });
    const cpus = spec.vm.cpuAffinity;
    return [
      // Inherited by all that follows, and by every thread of QEMU.
      ...(cpus === undefined ? [] : ["/usr/bin/taskset", "--cpu-list", cpus.join(",")]),
      ...["/usr/bin/perl", launcher, paths.folder],
      ...openFor(spec, paths),
      "--",
      ...withTpm(spec, paths, { root, user: this.#userOf(spec), kvmGid: this.#kvmGid, profile }),
      ...[...view, ...asUser(this.#userOf(spec), this.#kvmGid, profile), ...before],
      ...[binary, ...commandLine(spec, firmware)],
    ];
  }

  /** @returns a function that tells whether the process has ended again */
  async #spawn(
    spec: LaunchSpec,
    paths: RunPaths,
    argv: readonly string[],
  ): Promise<() => boolean | Promise<boolean>> {
    if (systemdRuns()) {
      const unit = vmUnit(spec.vm.id);
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
            ...[`StandardOutput=append:${paths.log}`, `StandardError=append:${paths.log}`],
            ...[...outlivingProperties, ...limitProperties(vmLimits(spec))],
          ].map((property) => `--property=${property}`),
          ...["--", ...argv],
        ],
        { what: `starting VM ${spec.vm.name}` },
      );
      return async () => {
        const words = { what: `looking at unit ${unit}`, okCodes: [0, 3, 4] };
        return (await run("systemctl", ["is-active", "--quiet", unit], words)).exitCode !== 0;
      };
    }
    const { O_WRONLY, O_CREAT, O_APPEND } = constants;
    const log = await openChecked(paths.log, O_WRONLY | O_CREAT | O_APPEND);
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

  /**
   * The process that was started in a run folder; null before it is, or when it is gone.
   * @throws PROCESS_UNREADABLE, FILE_UNTRUSTED, Error when the pid is another process's
   */
  async #startedProcess(paths: RunPaths): Promise<ProcessIdentity | null> {
    const pid = Number.parseInt((await readCheckedOrNull(paths.pidFile)) ?? "", 10);
    const identity = await identifyProcess(pid);
    if (identity === null) return null;
    return (await isOf(identity, basename(paths.folder))) ? identity : null;
  }

  /** Ends what was started in a run folder. A look that fails is repeated: nobody else knows of the process. */
  async #endStarted(paths: RunPaths): Promise<void> {
    for (;;) {
      try {
        const identity = await this.#startedProcess(paths);
        if (identity !== null) await endProcess(identity, "SIGKILL", 0);
        return;
      } catch (error) {
        if (!isPassing(error)) throw error;
      }
      await sleep(100);
    }
  }
}

/** Whether a process is of a VM, by its argument vector: the launcher's and QEMU's own name the VM. @throws PROCESS_UNREADABLE */
async function isOf(identity: ProcessIdentity, vmId: string): Promise<boolean> {
  const words = (await processArguments(identity.pid)) ?? [];
  return words.some((word, at) => word === "-uuid" && words[at + 1] === vmId);
}

/** A process of this machine that was started as this VM's QEMU. @throws PROCESS_UNREADABLE */
async function pidOf(vmId: string): Promise<number | null> {
  for (const name of await readdir("/proc")) {
    if (/^\d+$/.test(name) && (await isOf({ pid: Number(name), startTicks: 0 }, vmId))) return Number(name);
  }
  return null;
}

/** A lack of this process's own that passes: the file or the process was not seen, whatever it is. */
const isPassing = (error: unknown): boolean =>
  GodwitError.is(error, "PROCESS_UNREADABLE") ||
  ["EMFILE", "ENFILE", "ENOMEM", "EAGAIN"].includes((error as NodeJS.ErrnoException).code ?? "");

/** What `launch-qemu.pl` opens: `=` a socket, `+` a file to append to. */
function openFor({ vm }: LaunchSpec, paths: RunPaths): string[] {
  const { qmp, rescue, serialSocket, guestAgent, serialLog } = runDescriptors;
  const word = (descriptor: number, kind: "=" | "+", path: string) =>
    `${String(descriptor)}${kind}${basename(path)}`;
  return [
    word(qmp, "=", paths.qmp),
    word(rescue, "=", paths.rescue),
    word(serialSocket, "=", paths.serialSocket),
    ...(vm.guestAgent === true ? [word(guestAgent, "=", paths.guestAgent)] : []),
    word(serialLog, "+", paths.serialLog),
  ];
}

/** A live process whose QMP does not answer is tried for a while: its last client may not be gone yet. */
async function connect(paths: RunPaths, identity: ProcessIdentity): Promise<QmpSession | null> {
  return await connectWhenReady(paths.qmp, async () => !(await isAlive(identity)), 30_000).catch(() => null);
}
