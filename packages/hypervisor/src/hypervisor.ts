/**
 * Starts QEMU processes that outlive the agent, and finds them again. A process is started with its vCPUs
 * stopped, under a user of its VM's own, in its own session (a unit of its own where systemd runs); what it was
 * started from is written beside it before anyone relies on it. Its run folder belongs to root: QEMU has what it
 * needs there open (`launch-qemu.pl`), and can change none of what the agent reads.
 */
import { mkdir, realpath, rm } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { GodwitError, spaceShort, type QemuFacts, type VmId } from "@godwit/contract";
import { requireSpace, userIds, type UnitLimits, type UserIds } from "@godwit/system";
import { Adoption, type Adopted } from "./adoption.ts";
import { readAppArmor } from "./app-armor.ts";
import { lendChapSecrets, takeChapSecrets, type ChapSecretOf } from "./chap.ts";
import { commandLine } from "./command-line.ts";
import { confined } from "./confinement.ts";
import { setLinks } from "./hot-plug.ts";
import { pinnedBytes } from "./host-devices.ts";
import { vmLimits } from "./limits.ts";
import { runDescriptors, runPaths, type LaunchSpec, type RunPaths } from "./launch-spec.ts";
import { connectWhenReady, qemuFacts, CachedQemuFacts } from "./qemu-facts.ts";
import { lastMessages, QemuProcess, startFailed } from "./qemu-process.ts";
import { prepareRunFolder } from "./run-folder.ts";
import { writeRuntime } from "./runtime-file.ts";
import { spawnQemu } from "./spawn-qemu.ts";
import { endStarted, startedProcess } from "./started-process.ts";
import { prepareTpm, withTpm } from "./tpm.ts";
import { asUser, kvmGroup } from "./user.ts";

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
  /** CHAP secrets of iSCSI targets. */
  chapSecretOf?: ChapSecretOf;
  /** CPUs that a VM's processes get together at most, where systemd runs; null: no bound. */
  cpuLimitOf?: (vmId: VmId) => number | null;
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
  readonly #adoption: Adoption;

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
    this.#adoption = new Adoption(options, (spec) => this.#userOf(spec));
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
      const secretOf = this.#options.chapSecretOf ?? (() => undefined);
      await lendChapSecrets(spec, paths.folder, this.#userOf(spec), secretOf);
      const gone = await (launch === null
        ? spawnQemu(spec.vm, await this.#argv(spec, paths), paths.log, this.#limitsOf(spec))
        : launch(
            await this.#argv(spec, paths, killWithParent),
            paths.log,
            this.#limitsOf(spec),
            writtenStorage(spec),
          ));
      const session = await connectWhenReady(paths.qmp, gone, startLimitMs);
      await takeChapSecrets(paths.folder);
      const identity = await startedProcess(paths);
      if (identity === null) throw new Error("it ended at once");
      const startedAt = new Date().toISOString();
      await writeRuntime(paths, { spec, identity, startedAt });
      if (spec.vm.nics.some(({ connected }) => connected === false))
        await setLinks({ qmp: session }, spec.vm);
      return new QemuProcess({ spec, paths, identity, startedAt, session, user: this.#userOf(spec) });
    } catch (error) {
      await endStarted(paths);
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
    return await this.#adoption.all();
  }

  /** The same for one VM, later. Nothing in the answer: no process of it runs. */
  async adoptOne(vmId: VmId): Promise<Adopted> {
    return await this.#adoption.one(vmId);
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
      isProfiled: profile !== null,
      readable: [...readableFolders, ...(firmwareFolder === undefined ? [] : [firmwareFolder])],
    });
    const cpus = spec.vm.cpuAffinity;
    const pinned = pinnedBytes(spec.vm);
    return [
      ...(pinned === null ? [] : ["/usr/bin/prlimit", `--memlock=${String(pinned)}`]),
      // Inherited by all that follows, and by every thread of QEMU.
      ...(cpus === undefined ? [] : ["/usr/bin/taskset", "--cpu-list", cpus.join(",")]),
      ...["/usr/bin/perl", launcher, paths.folder],
      ...openFor(spec, paths),
      "--",
      ...withTpm(spec, paths, { root, user: this.#userOf(spec), kvmGid: this.#kvmGid, profile }),
      ...[...view, ...asUser(this.#userOf(spec), this.#kvmGid, profile), ...before],
      ...[binary, ...commandLine(spec, { ...firmware, runFolder: paths.folder })],
    ];
  }

  #limitsOf(spec: LaunchSpec): UnitLimits {
    return { ...vmLimits(spec), cpus: this.#options.cpuLimitOf?.(spec.vm.id) ?? null };
  }
}

/** What `launch-qemu.pl` opens: `=` a socket, `+` a file to append to, `<` one to read from, wherever it is. */
function openFor({ vm, memoryPath }: LaunchSpec, paths: RunPaths): string[] {
  const { qmp, rescue, serialSocket, guestAgent, serialLog, memory } = runDescriptors;
  const word = (descriptor: number, kind: "=" | "+", path: string) =>
    `${String(descriptor)}${kind}${basename(path)}`;
  return [
    word(qmp, "=", paths.qmp),
    word(rescue, "=", paths.rescue),
    word(serialSocket, "=", paths.serialSocket),
    ...(vm.guestAgent === true ? [word(guestAgent, "=", paths.guestAgent)] : []),
    word(serialLog, "+", paths.serialLog),
    ...(memoryPath === undefined ? [] : [`${String(memory)}<${memoryPath}`]),
  ];
}
