/**
 * One running QEMU: its process, its QMP session, and the commands on it. The process outlives the agent;
 * a new agent creates this object again from the run folder.
 */
import { rm } from "node:fs/promises";
import { GodwitError, type TaskId, type VmId } from "@godwit/contract";
import { QmpSession, type QmpEvent } from "@godwit/qmp";
import {
  endProcess,
  isAliveOrUnknown,
  readTailOrNull,
  sleep,
  type ProcessIdentity,
  type UserIds,
} from "@godwit/system";
import { z } from "zod";
import { ejectMedium, insertMedium } from "./cdrom-drives.ts";
import { lendCredentials } from "./credentials.ts";
import { guestState, type GuestState } from "./guest-state.ts";
import type { LaunchSpec, RunPaths } from "./launch-spec.ts";
import { diskNodeNames, insertedIn } from "./disk-nodes.ts";
import { MigrationPort } from "./migration-port.ts";
import { writeRuntime } from "./runtime-file.ts";
import { showFile } from "./show-file.ts";
import { takeTpm, tpmHasEnded } from "./tpm.ts";

/** One register of CPUID as a guest sees it. */
export interface FeatureWord {
  leaf: number;
  subleaf: number;
  register: "eax" | "ebx" | "ecx" | "edx";
  /** Unsigned, 32 bits. */
  value: number;
}

/** Between "completed", as QEMU tells it, and the moment from which it may be let run again. Five seconds together. */
const finalizingLooks = 100;
const finalizingLookMs = 50;

const featureWordsSchema = z.array(
  z.object({
    "cpuid-input-eax": z.int(),
    "cpuid-input-ecx": z.int().optional(),
    "cpuid-register": z.enum(["EAX", "EBX", "ECX", "EDX"]),
    features: z.int(),
  }),
);

export interface QemuEnd {
  /** QEMU's last messages. */
  readonly reason: string;
  /** No event of it was missed: there was one session, and it was read to its end. */
  readonly heardAll: boolean;
}

export class QemuProcess {
  #spec: LaunchSpec;
  readonly paths: RunPaths;
  readonly identity: ProcessIdentity;
  readonly startedAt: string;
  /** Who it runs as. */
  readonly user: UserIds;
  readonly migration: MigrationPort;
  /** Resolves when the process is gone. */
  readonly ended: Promise<QemuEnd>;
  readonly #end = Promise.withResolvers<QemuEnd>();
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  #session: QmpSession;
  #released = false;
  #missedEvents = false;

  constructor(o: {
    spec: LaunchSpec;
    paths: RunPaths;
    identity: ProcessIdentity;
    startedAt: string;
    user: UserIds;
    session: QmpSession;
  }) {
    this.#spec = o.spec;
    this.paths = o.paths;
    this.identity = o.identity;
    this.startedAt = o.startedAt;
    this.user = o.user;
    this.#session = o.session;
    this.ended = this.#end.promise;
    this.migration = new MigrationPort(
      () => this.#session,
      (credentials, end, read) =>
        lendCredentials({ credentials, to: o.paths.credentials, user: o.user, end }, read),
    );
    this.#watch(o.session);
  }

  /** What it was made from, and what is known of the VM since. */
  get spec(): LaunchSpec {
    return this.#spec;
  }

  /** Records with the process what became known of its VM, for later agents and for moves. @param diskPaths of disks that moved */
  async updateVm(vm: LaunchSpec["vm"], diskPaths: LaunchSpec["diskPaths"] = {}): Promise<void> {
    await this.#update({ vm, diskPaths: { ...this.#spec.diskPaths, ...diskPaths } });
  }

  /** The same with all that its devices use. @param blockDevices those of its disks that are, if another comes */
  async updateDevices(
    change: Pick<LaunchSpec, "vm" | "diskPaths" | "taps"> & { blockDevices?: readonly string[] },
  ): Promise<void> {
    const { diskPaths, blockDevices = this.#spec.blockDevices ?? [] } = change;
    const present = blockDevices.filter((name) => name in diskPaths);
    await this.#update({ ...change, blockDevices: present.length === 0 ? undefined : present });
  }

  /** It has its memory: its guest may run. */
  async hasLoaded(): Promise<void> {
    await this.#update({ loads: undefined, memoryPath: undefined });
  }

  /** Its suspension begins; null: it is over. */
  async noteSuspending(suspending: LaunchSpec["suspending"] | null): Promise<void> {
    await this.#update({ suspending: suspending ?? undefined });
  }

  /** It was reset by this task: an agent that starts again, and is asked for the same, does not reset it a second time. */
  async noteReset(task: TaskId): Promise<void> {
    const change = { lastReset: task };
    // Known from now on, also where it cannot be written.
    this.#spec = { ...this.#spec, ...change };
    await this.#update(change);
  }

  async #update(change: Partial<LaunchSpec>): Promise<void> {
    const spec = { ...this.#spec, ...change };
    await writeRuntime(this.paths, { spec, identity: this.identity, startedAt: this.startedAt });
    this.#spec = spec;
  }

  get vmId(): VmId {
    return this.spec.vm.id;
  }

  get qmp(): QmpSession {
    return this.#session;
  }

  /** Calls back with QEMU's events for the life of the process, also over a new QMP session. */
  onEvent(listener: (event: QmpEvent) => void): Disposable {
    this.#listeners.add(listener);
    return {
      [Symbol.dispose]: () => {
        this.#listeners.delete(listener);
      },
    };
  }

  async status(): Promise<{ running: boolean; status: string }> {
    return await this.#session.execute("query-status");
  }

  /** @throws any error of QMP */
  async guestState(): Promise<GuestState> {
    const { running, status } = await this.status();
    const blocks = running ? [] : await this.#session.execute("query-block");
    return guestState(
      running,
      status,
      blocks.flatMap((block) => block["io-status"] ?? []),
    );
  }

  /**
   * From now on a guest that switches itself off, or panics, leaves its QEMU standing with the reason, for whoever
   * looks next. Earlier versions started QEMU without that.
   */
  async keepWhenOff(): Promise<void> {
    await this.#session.execute("set-action", { shutdown: "pause", panic: "pause" });
  }

  /** Of this process, which may be older than what is installed now; like `7.2.22`. */
  async version(): Promise<string> {
    const { major, minor, micro } = (await this.#session.execute("query-version")).qemu;
    return [major, minor, micro].join(".");
  }

  /** What CPUID answers the guest in the words that hold features, as QEMU itself has it. */
  async featureWords(): Promise<FeatureWord[]> {
    const [cpu] = await this.#session.execute("query-cpus-fast");
    if (cpu === undefined) throw new TypeError("QEMU has no vCPU");
    const words = await this.#session.execute("qom-get", {
      path: cpu["qom-path"],
      property: "feature-words",
    });
    return featureWordsSchema.parse(words).map((word) => ({
      leaf: word["cpuid-input-eax"],
      subleaf: word["cpuid-input-ecx"] ?? 0,
      register: word["cpuid-register"].toLowerCase() as FeatureWord["register"],
      value: word.features,
    }));
  }

  /** Lets the vCPUs run. @throws QMP_REFUSED: they surely do not; QMP_INTERRUPTED: look at the status */
  async resume(): Promise<void> {
    for (let tried = 1; ; tried++) {
      try {
        await this.#session.execute("cont");
        return;
      } catch (error) {
        const isFinalizing = GodwitError.is(error, "QMP_REFUSED") && /not finalized yet/.test(error.message);
        if (!isFinalizing || tried === finalizingLooks) throw error;
      }
      await sleep(finalizingLookMs);
    }
  }

  async pause(): Promise<void> {
    await this.#session.execute("stop");
  }

  /** As by the machine's reset button. */
  async reset(): Promise<void> {
    await this.#session.execute("system_reset");
  }

  /** Wakes a guest that is asleep. */
  async wakeUp(): Promise<void> {
    await this.#session.execute("system_wakeup");
  }

  /**
   * Has QEMU take its disks after a copy, as `cont` does, without letting the guest run: a QEMU that was not let do
   * so aborts when its guest is moved on (7.2.22). QEMU takes a disk that is to be exported before it looks whether it
   * can: the refusal is the good end. @throws QMP_REFUSED when a disk cannot be had
   */
  async activateDisks(): Promise<void> {
    const blocks = await this.#session.execute("query-block");
    for (const { name } of this.spec.vm.disks) {
      const id = `take-${name}`;
      const node = insertedIn(blocks, name)?.["node-name"] ?? diskNodeNames(name)[0].format;
      try {
        await this.#session.execute("block-export-add", { type: "nbd", id, "node-name": node });
        await this.#session.execute("block-export-del", { id });
      } catch (error) {
        if (!GodwitError.is(error, "QMP_REFUSED") || !/NBD server not running/.test(error.message))
          throw error;
      }
    }
  }

  /** Puts a medium into a drive that has none. @param path absolute, on the host */
  async connectMedium(drive: string, path: string): Promise<void> {
    // Noted first: an agent that comes after this one takes away whatever QEMU may see.
    await this.#update({ mediumPaths: { ...this.#spec.mediumPaths, [drive]: path } });
    await showFile(this.identity.pid, path, "show");
    await insertMedium(this.#session, drive, path);
  }

  /** Takes the medium out of a drive; one that has none stays as it is. */
  async disconnectMedium(drive: string): Promise<void> {
    await ejectMedium(this.#session, drive);
    const { [drive]: path, ...mediumPaths } = this.#spec.mediumPaths;
    if (path !== undefined && !Object.values(mediumPaths).includes(path))
      await showFile(this.identity.pid, path, "hide");
    await this.#update({ mediumPaths });
  }

  /** The VM has permission to run here, and its TPM's state is its own from now on. Repeated without harm. */
  async takeTpm(): Promise<void> {
    await takeTpm(this.#spec, this.paths);
  }

  get tpmHasEnded(): boolean {
    return tpmHasEnded(this.#spec, this.paths);
  }

  /** Presses the power button: the guest shuts itself down if it listens. */
  async powerDown(): Promise<void> {
    await this.#session.execute("system_powerdown");
  }

  /** Ends the process, whatever state it is in, and removes its run folder. Resolves when it is gone. */
  async end(): Promise<void> {
    if (this.#session.isRunning)
      await this.#session.execute("quit", {}, { timeoutMs: 2000 }).catch(() => undefined);
    // After `quit` it needs a moment to flush; a QEMU that hangs is killed.
    await endProcess(this.identity, "SIGTERM", 10_000);
    await this.ended;
    await this.removeFolder();
  }

  /** Kills the process, as if it had failed: `ended` resolves. */
  async kill(): Promise<void> {
    await endProcess(this.identity, "SIGKILL", 0);
  }

  async removeFolder(): Promise<void> {
    await rm(this.paths.folder, { recursive: true, force: true });
  }

  /** Closes the QMP session and leaves the process alone: for an agent that stops. */
  release(): void {
    this.#released = true;
    this.#session.close();
  }

  #watch(session: QmpSession): void {
    session.onEvent((event) => {
      for (const listener of [...this.#listeners]) listener(event);
    });
    void session.ended.then(async () => {
      await this.#sessionEnded();
    });
  }

  /**
   * Reconnects the QMP session while the process lives; else the process has ended. A process that cannot be looked
   * at (this agent may have no descriptor left, and so have lost the session too) is not one that has ended.
   */
  async #sessionEnded(): Promise<void> {
    for (
      let waitMs = 5;
      (await isAliveOrUnknown(this.identity)) !== false;
      waitMs = Math.min(waitMs * 2, 500)
    ) {
      if (this.#released) return;
      const session = await QmpSession.connect(this.paths.qmp).catch(() => null);
      if (session !== null) {
        this.#missedEvents = true;
        this.#session = session;
        this.#watch(session);
        return;
      }
      // No event tells of the end of a process that is not our child, nor of a socket that accepts connections again.
      await sleep(waitMs);
    }
    const heardAll = !this.#missedEvents && this.#session.isReadToItsEnd;
    this.#end.resolve({ reason: await whyEnded(this.paths.log), heardAll });
  }
}

const silent = "QEMU ended without a message";
/** The process that started it writes how it ended, at about the moment in which that is seen. */
const wroteMs = 200;

async function whyEnded(logPath: string): Promise<string> {
  const messages = await lastMessages(logPath);
  if (messages !== silent) return messages;
  await sleep(wroteMs);
  return await lastMessages(logPath);
}

/** What QEMU said last, and the process that started it of its end; without time stamps. */
export async function lastMessages(logPath: string): Promise<string> {
  let log: string;
  try {
    log = (await readTailOrNull(logPath)) ?? "";
  } catch (error) {
    return `QEMU's last messages could not be read: ${(error as Error).message}`;
  }
  const lines = log
    .trim()
    .split("\n")
    .map((line) => line.replace(/^\S+Z /, "").replace(/^qemu-system-x86_64: /, ""))
    .filter((line) => line !== "" && !/terminating on signal/.test(line));
  return lines.slice(-3).join(" / ").slice(0, 500) || silent;
}

/** @throws VM_START_FAILED */
export function startFailed(spec: LaunchSpec, host: string, reason: string, cause?: unknown): GodwitError {
  return GodwitError.of("VM_START_FAILED", { vm: spec.vm.name, host, reason }, { cause });
}
