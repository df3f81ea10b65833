/** Finds the QEMU processes that an earlier agent has left, and what became of those that have ended. */
import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { GodwitError, vmIdSchema, type VmId } from "@godwit/contract";
import type { QmpSession } from "@godwit/qmp";
import {
  isAlive,
  isAliveOrUnknown,
  readCheckedOrNull,
  type ProcessIdentity,
  type UserIds,
} from "@godwit/system";
import { takeChapSecrets } from "./chap.ts";
import { runPaths, type LaunchSpec, type RunPaths } from "./launch-spec.ts";
import { connectWhenReady } from "./qemu-facts.ts";
import { lastMessages, QemuProcess } from "./qemu-process.ts";
import { hasListener, takeOver } from "./run-folder.ts";
import { parseRuntime } from "./runtime-file.ts";
import { endStarted, isProcessOf, pidOf } from "./started-process.ts";

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

export class Adoption {
  readonly #place: { host: string; runFolder: string };
  readonly #userOf: (spec: LaunchSpec) => UserIds;

  constructor(place: { host: string; runFolder: string }, userOf: (spec: LaunchSpec) => UserIds) {
    this.#place = place;
    this.#userOf = userOf;
  }

  /** The processes that run, and what became of others that ran when the last agent looked: one bad folder concerns one VM. */
  async all(): Promise<Adopted> {
    const adopted: Adopted = { processes: [], ended: [], unresponsive: [], quarantined: [] };
    for (const name of await readdir(`${this.#place.runFolder}/vms`)) {
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
  async one(vmId: VmId): Promise<Adopted> {
    const adopted: Adopted = { processes: [], ended: [], unresponsive: [], quarantined: [] };
    const { folder, runtime } = runPaths(this.#place.runFolder, vmId);
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
      const { host, runFolder } = this.#place;
      const reason = error instanceof Error ? error.message : String(error);
      const details = { vm: vmId, host, folder: `${runFolder}/vms/${vmId}`, reason };
      const quarantine = GodwitError.of("VM_RUN_FOLDER_INVALID", details, { cause: error });
      adopted.quarantined.push({ vmId, error: quarantine });
    }
  }

  /** @throws Error when what is noted cannot be relied on */
  async #adopt(vmId: VmId, { processes, ended, unresponsive }: Adopted): Promise<void> {
    const paths = runPaths(this.#place.runFolder, vmId);
    await takeOver(paths.folder);
    const text = await readCheckedOrNull(paths.runtime);
    if (text === null) {
      await this.#clearUnfinished(paths);
      return;
    }
    const { spec, identity, startedAt } = parseRuntime(text);
    if (spec.vm.id !== vmId) throw new Error(`runtime.json is of VM ${spec.vm.id}`);
    const lives = await isAliveOrUnknown(identity);
    const isIts = lives === true && (await isProcessOf(identity, vmId));
    const session = isIts ? await connect(paths, identity) : null;
    // It may have ended while it was looked at.
    if (lives === false || (session === null && (await isAliveOrUnknown(identity)) === false)) {
      // The process is gone by its pid and start time, unless these are wrong.
      if (await hasListener(paths.qmp))
        throw new Error(`process ${String(identity.pid)} is gone, but somebody listens on its QMP socket`);
      ended.push({ spec, reason: await lastMessages(paths.log) });
      await rm(paths.folder, { recursive: true, force: true });
      return;
    }
    if (lives === true && !isIts) throw new Error(`process ${String(identity.pid)} is not its QEMU`);
    await takeChapSecrets(paths.folder); // of an agent that was killed here
    if (session === null) unresponsive.push(spec);
    else
      processes.push(
        new QemuProcess({ spec, paths, identity, startedAt, session, user: this.#userOf(spec) }),
      );
  }

  /** A start that its agent did not finish: the process is unknown to everyone, so it is ended. */
  async #clearUnfinished(paths: RunPaths): Promise<void> {
    await endStarted(paths);
    await rm(paths.folder, { recursive: true, force: true });
  }
}

/** A live process whose QMP does not answer is tried for a while: its last client may not be gone yet. */
async function connect(paths: RunPaths, identity: ProcessIdentity): Promise<QmpSession | null> {
  return await connectWhenReady(paths.qmp, async () => !(await isAlive(identity)), 30_000).catch(() => null);
}
