/**
 * VMs of this host: started, paused, reset, stopped. A VM is started only with its exclusive lease, and
 * the lease is given back only when its process is gone.
 */
import {
  GodwitError,
  snapshotTag,
  type TaskId,
  type Baseline,
  type GuestAddresses,
  type Vm,
  type VmActivity,
  type VmId,
  type VmRuntime,
} from "@godwit/contract";
import {
  guestAnswers,
  loadSnapshot,
  stopReasonOf,
  type Hypervisor,
  type QemuProcess,
} from "@godwit/hypervisor";
import { notReverting, readVmFile, saveVm, snapshotOf, type Datastore } from "@godwit/storage";
import { reasonOf } from "../reason.ts";
import { UndoStack, within } from "@godwit/system";
import type { Logger } from "pino";
import type { AgentConfig } from "../config.ts";
import type { EventLog } from "../event-log.ts";
import type { Leases } from "../leases/leases.ts";
import type { Claims } from "./claims.ts";
import { exclusively } from "./configure-vm.ts";
import { checkCpuAffinity } from "./cpu-affinity.ts";
import type { VmCpus } from "./cpu.ts";
import { correctGuestClock } from "./guest-clock.ts";
import type { Environment } from "./environment.ts";
import type { GuestWatchers } from "./guest-watchers.ts";
import { RecentSet } from "../recent-set.ts";
import type { MemoryAdmission } from "./memory-admission.ts";
import { completeRevert } from "./snapshots.ts";
import { SharedWork } from "./shared-work.ts";
import { endForSure } from "../qemu/end-for-sure.ts";
import type { Processes } from "../qemu/processes.ts";
import { readAddresses } from "./addresses.ts";
import { readActivity } from "./activity.ts";

/** Resets that are known by their ids. */
const keptResets = 1000;
const answerLimitMs = 3000;

export interface VmsParts {
  config: AgentConfig;
  hypervisor: Hypervisor;
  cpus: VmCpus;
  environment: Environment;
  processes: Processes;
  leases: Leases;
  memory: MemoryAdmission;
  guests: Pick<GuestWatchers, "wasReset">;
  /** Whether a VM may start here now. */
  commands: { mustTakeVms: (vm: string) => Promise<void> };
  claims: Claims;
  events: EventLog;
  log: Logger;
}

/** A VM that runs, and what it is since it was powered on. */
export interface Started {
  runtime: VmRuntime;
  vm: Vm;
}

export class Vms {
  readonly #parts: VmsParts;
  readonly #starting = new SharedWork<Started>();
  readonly #stopping = new SharedWork<string | null>();
  readonly #resets = new RecentSet<TaskId>(keptResets);

  constructor(parts: VmsParts) {
    this.#parts = parts;
  }

  /** @throws VM_NOT_RUNNING, QMP_REFUSED while another measures */
  async activity(id: VmId): Promise<VmActivity> {
    return await readActivity(this.#parts.processes, id);
  }

  /** @throws VM_NOT_RUNNING */
  async addresses(id: VmId): Promise<GuestAddresses> {
    return await readAddresses(this.#parts.processes, id);
  }

  /**
   * Powers on, with the CPU that the owner's request and the pool's baseline make; what the guest then sees is
   * written to the VM's folder before it runs. Its disks become its user's under the exclusive lease. Asked again while it
   * goes on, it answers the same.
   * @param ownUser whether the VM may have a user of its own
   * @param snapshot whose memory the guest goes on with, by its id: the VM is as it was reverted to it. Null: the guest boots
   * @throws VM_BUSY, VM_PAUSED, SNAPSHOT_LOAD_FAILED, DESTINATION_MEMORY_SHORT, HOST_COMMAND_RUNS, LEASE_HELD, LEASE_UNAVAILABLE, VM_CPU_REFUSED, VM_START_FAILED and what
   *   is missing on this host
   */
  async start(
    vm: Vm,
    baseline: Baseline | null,
    ownUser: boolean,
    snapshot: string | null = null,
  ): Promise<Started> {
    return await this.#starting.do(vm.id, () => this.#start(vm, baseline, ownUser, snapshot));
  }

  async #start(
    asked: Vm,
    baseline: Baseline | null,
    ownUser: boolean,
    snapshot: string | null,
  ): Promise<Started> {
    const { config, hypervisor, environment, processes, leases, claims, cpus, memory } = this.#parts;
    let vm = asked;
    if (processes.of(vm.id) !== undefined && processes.stateOf(vm.id) === "running")
      return this.#started(vm.id);
    using _claim = await claims.claim(vm, "it is being started");
    const datastore = await environment.datastore(vm.datastore);
    let existing = processes.of(vm.id);
    if (existing?.spec.loads !== undefined) {
      await this.#end(existing);
      existing = undefined;
    }
    if (existing !== undefined) {
      const reason = processes.pauseReasonOf(vm.id);
      if (reason !== null)
        throw GodwitError.of("VM_PAUSED", { vm: vm.name, host: this.#parts.config.name, reason });
      // Left standing by a start that was cut off; whoever holds the lease may let it run.
      await this.#exclusive(vm, existing);
      await this.#know(existing, datastore, baseline);
      if (snapshot !== null) await notLoadedAgain(datastore, vm.name);
      await existing.resume();
      return this.#started(vm.id);
    }
    const stored = await readVmFile(datastore, vm.name);
    if (stored !== null && stored.id !== vm.id) {
      const folder = datastore.resolve(vm.name);
      throw GodwitError.of("VM_FOLDER_OTHER", { vm: vm.name, host: config.name, folder });
    }
    if (snapshot !== null) vm = waitingFor(snapshot, stored ?? vm, config.name);
    else if (stored !== null) vm = await this.#asStored(vm, stored);
    using _memory = memory.reserve(vm);
    await this.#parts.commands.mustTakeVms(vm.name);
    const [{ accelerator }, cpu] = await Promise.all([
      hypervisor.facts(),
      // A guest that goes on sees the CPU that it saw then.
      snapshot === null ? cpus.decide(vm, baseline) : vm.cpu,
    ]);
    await environment.checkOwnFiles(vm);
    await environment.checkPortGroups(vm.nics.map(({ portGroup }) => portGroup));
    await checkCpuAffinity(vm, config.name);
    await using undo = new UndoStack((what, error) => {
      this.#parts.log.warn({ err: error, vm: vm.name }, `could not ${what}`);
    });
    await this.#exclusive(vm);
    undo.push("release the lease", () => leases.release(vm));
    const user = await environment.giveDisks(vm, ownUser);
    await environment.checkDisks(vm, user);
    const described = await environment.launchSpec({ ...vm, cpu }, accelerator, false, user);
    const spec = snapshot === null ? described : { ...described, loads: snapshot };
    await environment.createTaps(vm, user);
    undo.push("delete the taps", () => environment.deleteTaps(vm));
    const process = await hypervisor.start(spec, leases.launcher(vm));
    processes.add(process, "starting");
    undo.push("end QEMU", () => this.#end(process));
    if (snapshot === null) await this.#know(process, datastore, baseline);
    else {
      await this.#load(process, snapshot);
      await notLoadedAgain(datastore, vm.name);
    }
    await process.resume();
    processes.mark(vm.id, "running");
    if (snapshot !== null) correctGuestClock(process, this.#parts.log);
    undo.commit();
    return this.#started(vm.id);
  }

  /** As `vm.json` has it, where the server may not have heard of it: a disk has moved, or the VM was reverted to a snapshot. */
  async #asStored(vm: Vm, stored: Vm): Promise<Vm> {
    if (stored.snapshots === undefined && vm.snapshots === undefined) return { ...vm, disks: stored.disks };
    if (stored.revertingTo === undefined) return stored;
    const { config, environment, leases } = this.#parts;
    await using _lease = await exclusively(leases, stored, config.name);
    await environment.checkOwnFiles(stored);
    return await completeRevert(await environment.datastoresOf(stored), stored);
  }

  /** @throws SNAPSHOT_LOAD_FAILED */
  async #load(process: QemuProcess, id: string): Promise<void> {
    const { vm } = process.spec;
    const { name: snapshot } = snapshotOf(vm, id);
    try {
      await loadSnapshot(process, snapshotTag(id));
      await process.hasLoaded();
    } catch (error) {
      const reason = reasonOf(error).replace(/\.$/, "");
      const details = { vm: vm.name, snapshot, host: this.#parts.config.name, reason };
      throw GodwitError.of("SNAPSHOT_LOAD_FAILED", details, { cause: error });
    }
  }

  /**
   * Powers off: the guest's own way within the grace time, then QEMU's. Asked again while it goes on, it answers the same.
   * @returns why this host still holds the VM's lease, which it gives back by itself later; null: it is given back
   * @throws VM_BUSY
   */
  async stop(vmId: VmId, graceSeconds: number): Promise<string | null> {
    return await this.#stopping.do(vmId, () => this.#stop(vmId, graceSeconds));
  }

  async #stop(vmId: VmId, graceSeconds: number): Promise<string | null> {
    const { processes, claims } = this.#parts;
    // One that has no process may be set aside, or be on its way to the end: then it is claimed, and not stopped yet.
    using _claim = await claims.claim({ id: vmId, name: processes.nameOf(vmId) }, "it is being stopped");
    const process = processes.of(vmId);
    if (process === undefined) return null;
    processes.mark(vmId, "stopping");
    if (graceSeconds > 0) await powerDown(process, graceSeconds);
    return await this.#end(process);
  }

  /** Stops the vCPUs; those that stand still already keep their reason. @throws VM_BUSY, VM_NOT_RUNNING */
  async pause(vmId: VmId): Promise<VmRuntime> {
    const { processes, claims } = this.#parts;
    const process = this.#present(vmId);
    using _claim = await claims.claim(process.spec.vm, "it is being paused");
    if (processes.stateOf(vmId) === "running") {
      await process.pause();
      processes.paused(vmId, (await process.guestState()).pauseReason ?? "user");
    }
    return this.#started(vmId).runtime;
  }

  /**
   * Lets the vCPUs run, whatever stopped them; what had failed of a disk is tried again.
   * @throws VM_BUSY, VM_NOT_RUNNING, LEASE_HELD, LEASE_UNAVAILABLE, QMP_REFUSED where QEMU cannot go on with this guest
   */
  async resume(vmId: VmId): Promise<VmRuntime> {
    const { claims } = this.#parts;
    const process = this.#present(vmId);
    using _claim = await claims.claim(process.spec.vm, "it is being resumed");
    await this.#letRun(process);
    return this.#started(vmId).runtime;
  }

  /**
   * Resets a VM that runs, once for each id.
   * @param unlessItAnswers leaves a guest alone whose agent answers now
   * @throws VM_BUSY, VM_NOT_RUNNING, VM_GUEST_ANSWERS
   */
  async reset(vmId: VmId, id: TaskId, unlessItAnswers: boolean): Promise<VmRuntime> {
    const { claims, config, processes, guests } = this.#parts;
    const process = this.#present(vmId);
    const { vm } = process.spec;
    using _claim = await claims.claim(vm, "it is being reset");
    if (this.#resets.has(id)) return this.#started(vmId).runtime;
    const state = processes.stateOf(vmId);
    if (state !== "running")
      throw GodwitError.of("VM_NOT_RUNNING", { vm: vm.name, state: state ?? "not on this host" });
    if (unlessItAnswers && (await guestAnswers(process.paths.guestAgent, answerLimitMs)))
      throw GodwitError.of("VM_GUEST_ANSWERS", { vm: vm.name, host: config.name });
    await process.reset();
    this.#resets.add(id);
    guests.wasReset(vmId);
    return this.#started(vmId).runtime;
  }

  /** The same for a VM that nobody else works on; false: somebody does. */
  async tryResume(process: QemuProcess): Promise<boolean> {
    using claim = this.#parts.claims.tryShort(process.vmId, "it is being resumed");
    if (claim === null || this.#parts.processes.of(process.vmId) !== process) return false;
    await this.#letRun(process);
    return true;
  }

  /** Its guest has switched itself off: ends the process, when nobody works on the VM any more. */
  async endShutDown(process: QemuProcess): Promise<void> {
    const { claims, processes, log } = this.#parts;
    using claim = claims.tryShort(process.vmId, "its guest has shut down");
    if (claim === null) {
      this.#whenFree(process, "the end of its QEMU", () => this.endShutDown(process));
      return;
    }
    if (processes.of(process.vmId) !== process) return;
    const { pauseReason } = await process.guestState();
    if (pauseReason !== "shutdown") return;
    log.info({ vm: process.spec.vm.name }, "the guest has shut itself down: its QEMU is ended");
    await this.#end(process);
  }

  #whenFree(process: QemuProcess, what: string, act: () => Promise<void>): void {
    const { claims, log } = this.#parts;
    claims.whenFree(process.vmId, what, () => {
      act().catch((error: unknown) => {
        log.warn({ err: error, vm: process.spec.vm.name }, `${what} was not seen to`);
      });
    });
  }

  async #letRun(process: QemuProcess): Promise<void> {
    const { processes, log } = this.#parts;
    const { vm } = process.spec;
    const reason = processes.pauseReasonOf(process.vmId);
    if (reason === "shutdown")
      throw GodwitError.of("VM_NOT_RUNNING", { vm: vm.name, state: "shutting down" });
    await this.#exclusive(vm, process);
    await (reason === "suspended" ? process.wakeUp() : process.resume());
    correctGuestClock(process, log);
  }

  /** @throws VM_NOT_RUNNING */
  #present(vmId: VmId): QemuProcess {
    const { processes } = this.#parts;
    const process = processes.of(vmId);
    const state = processes.stateOf(vmId);
    if (process !== undefined && (state === "running" || state === "paused")) return process;
    const vm = process?.spec.vm.name ?? vmId;
    throw GodwitError.of("VM_NOT_RUNNING", { vm, state: state ?? "not on this host" });
  }

  /** @returns why this host still holds the VM's lease, or null */
  async #end(process: QemuProcess): Promise<string | null> {
    const { processes, log } = this.#parts;
    processes.mark(process.vmId, "stopping");
    processes.ending(process.vmId);
    await endForSure(process, log);
    processes.gone(process.vmId);
    return await this.#clear(process.spec.vm);
  }

  /** A process ended by itself: what is left of it goes too, when nobody works on the VM any more. */
  async clearAfter(process: QemuProcess): Promise<void> {
    const { claims, processes, log } = this.#parts;
    using claim = claims.tryShort(process.vmId, "what its QEMU left is cleared");
    if (claim === null) {
      this.#whenFree(process, "what its QEMU left", () => this.clearAfter(process));
      return;
    }
    if (processes.of(process.vmId) !== undefined) return;
    await process.removeFolder().catch((error: unknown) => {
      log.warn(
        { err: error, vm: process.spec.vm.name },
        "the run folder of an ended VM could not be removed",
      );
    });
    await this.#clear(process.spec.vm);
  }

  /** Its QEMU is gone: what that used goes, then its lease; only then is it told as stopped. @returns as `#end` */
  async #clear(vm: Vm): Promise<string | null> {
    const { processes, environment, leases, log } = this.#parts;
    await environment.deleteTaps(vm).catch((error: unknown) => {
      log.error({ err: error, vm: vm.name }, "the VM's taps could not be removed");
    });
    const kept = await leases.releaseUnlessShared(vm);
    if (kept !== null) log.warn({ vm: vm.name, reason: kept }, "a VM that has ended keeps its lease for now");
    if (processes.stateOf(vm.id) === "stopping") processes.remove(vm.id, "stopped");
    return kept;
  }

  /** @param existing was started under a lease of shared storage, or is not let run any more */
  async #exclusive(vm: Vm, existing: QemuProcess | null = null): Promise<void> {
    const { leases } = this.#parts;
    const mustHave = existing !== null && leases.isOnDisk(vm);
    const answer = await (mustHave ? leases.convert(vm, "EX") : leases.acquire(vm, "EX"));
    if (answer.kind === "refused") throw answer.error;
  }

  /** What QEMU shows the guest is kept in the VM's folder and with the process, before the guest runs. */
  async #know(process: QemuProcess, datastore: Datastore, baseline: Baseline | null): Promise<void> {
    const { vm } = process.spec;
    const shown = { ...vm, cpu: await this.#parts.cpus.shown(vm, baseline, process) };
    await saveVm(datastore, shown);
    await process.updateVm(shown);
  }

  #started(vmId: VmId): Started {
    const { processes } = this.#parts;
    const runtime = processes.runtimes.find(({ id }) => id === vmId);
    const process = processes.of(vmId);
    if (runtime === undefined || process === undefined) throw new Error(`VM ${vmId} has no process`);
    return { runtime, vm: process.spec.vm };
  }
}

/** The VM as it is to go on from a snapshot's memory. @throws SNAPSHOT_ALREADY_LOADED */
function waitingFor(snapshot: string, stored: Vm, host: string): Vm {
  if (stored.revertingTo === snapshot) return notReverting(stored);
  const { name } = snapshotOf(stored, snapshot);
  throw GodwitError.of("SNAPSHOT_ALREADY_LOADED", { vm: stored.name, snapshot: name, host });
}

/** From now on the guest may have written what a snapshot does not have. */
async function notLoadedAgain(datastore: Datastore, name: string): Promise<void> {
  const stored = await readVmFile(datastore, name);
  if (stored?.revertingTo !== undefined) await saveVm(datastore, notReverting(stored));
}

async function powerDown(process: QemuProcess, graceSeconds: number): Promise<void> {
  try {
    // A guest that stands still cannot hear the button.
    if (!(await process.status()).running) return;
    const { promise: off, resolve } = Promise.withResolvers<undefined>();
    using _events = process.onEvent((event) => {
      if (stopReasonOf(event) === "shutdown") resolve(undefined);
    });
    await process.powerDown();
    await within(Promise.race([process.ended, off]), graceSeconds * 1000);
  } catch (error) {
    if (!GodwitError.is(error)) throw error; // QEMU is gone or does not listen: it is ended next
  }
}
