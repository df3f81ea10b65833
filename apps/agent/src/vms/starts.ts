/**
 * Powers VMs on: one that has no process, with the memory that was saved of it where it goes on from there, and one that an earlier start has left
 * standing. A VM is started only with its exclusive lease, and `vm.json` is read under it.
 */
import { GodwitError, type Baseline, type Vm } from "@godwit/contract";
import { poweredOn, setMemoryTarget, type Hypervisor, type QemuProcess } from "@godwit/hypervisor";
import { notSuspended, readVmFile, removeMemory, saveVm, type Datastore } from "@godwit/storage";
import { UndoStack } from "@godwit/system";
import type { Logger } from "pino";
import type { AgentConfig } from "../config.ts";
import type { Leases } from "../leases/leases.ts";
import type { Processes } from "../qemu/processes.ts";
import { resumeForSure } from "../qemu/resume-for-sure.ts";
import type { Claims } from "./claims.ts";
import { checkCpuAffinity } from "./cpu-affinity.ts";
import type { HostDeviceAdmission } from "./host-device-admission.ts";
import type { VmCpus } from "./cpu.ts";
import type { Environment } from "./environment.ts";
import { forgetRequests } from "./devices/settle-disks.ts";
import { correctGuestClock } from "./guest-clock.ts";
import type { MemoryAdmission } from "./memory-admission.ts";
import { mustHaveLease, startedAs, type Started } from "./running-vm.ts";
import { ofSnapshot, ofSuspension, spend, type SavedMemory } from "./saved-memory.ts";
import { SharedWork } from "./shared-work.ts";
import { completeRevert } from "./snapshots.ts";
import { tidyFreezing } from "./tidy-freezing.ts";
import type { Vms } from "./vms.ts";

export interface StartsParts {
  config: Pick<AgentConfig, "name">;
  hypervisor: Pick<Hypervisor, "facts" | "start">;
  cpus: VmCpus;
  environment: Environment;
  processes: Processes;
  leases: Leases;
  memory: MemoryAdmission;
  hostDevices: HostDeviceAdmission;
  /** Whether a VM may start here now. */
  commands: { mustTakeVms: (vm: string) => Promise<void> };
  claims: Claims;
  vms: Pick<Vms, "end">;
  /** Removes what changes of its disks have left, later. */
  settleDisks: (process: QemuProcess) => void;
  log: Logger;
}

/** What an agent may have changed of a VM without the server's knowledge. */
const ownParts = ({ disks, nics, memoryMib, memoryDevices }: Vm) => ({
  ...{ disks, nics },
  // Its size is one with the rest of the description, but where memory was added while it ran.
  ...(memoryDevices === undefined ? {} : { memoryMib }),
});

/** How a VM is powered on. */
export interface StartOrder {
  /** Of the pool that this host is in. */
  baseline: Baseline | null;
  /** Whether it may have a user of its own. */
  ownUser: boolean;
  /** The snapshot whose memory its guest goes on with, by its id: the VM is as it was reverted to it. Null: none. */
  snapshot: string | null;
  /** One that is suspended to disk boots, and does not go on. */
  discardMemory: boolean;
  /** Whether every host knows of PCIe root ports. */
  pluggable: boolean;
}

export class Starts {
  readonly #parts: StartsParts;
  readonly #starting = new SharedWork<Started>();

  constructor(parts: StartsParts) {
    this.#parts = parts;
  }

  /**
   * Powers on, with the CPU that the owner's request and the pool's baseline make; what the guest then sees is
   * written to the VM's folder before it runs. Its disks become its user's under the exclusive lease. Asked again while it
   * goes on, it answers the same.
   * @throws VM_BUSY, VM_PAUSED, SNAPSHOT_LOAD_FAILED, SUSPENDED_MEMORY_UNUSABLE, DESTINATION_MEMORY_SHORT, HOST_COMMAND_RUNS, LEASE_HELD, LEASE_UNAVAILABLE, VM_CPU_REFUSED, VM_START_FAILED and what
   *   is missing on this host
   */
  async start(vm: Vm, order: StartOrder): Promise<Started> {
    return await this.#starting.do(vm.id, () => this.#start(vm, order));
  }

  async #start(asked: Vm, order: StartOrder): Promise<Started> {
    const { config, hypervisor, environment, processes, leases, claims, cpus, memory, hostDevices, vms } =
      this.#parts;
    const { baseline, ownUser } = order;
    const { id } = asked;
    if (processes.of(id) !== undefined && processes.stateOf(id) === "running")
      return startedAs(processes, id);
    using _claim = await claims.claim(asked, "it is being started");
    const datastore = await environment.datastore(asked.datastore);
    if (await this.#letStandingGoOn(asked, datastore, baseline)) return startedAs(processes, id);
    await using undo = new UndoStack((what, error) => {
      this.#parts.log.warn({ err: error, vm: asked.name }, `could not ${what}`);
    });
    // First: what `vm.json` says holds only while no other host may change it.
    await mustHaveLease(leases, asked);
    undo.push("release the lease", () => leases.release(asked));
    const { vm: found, saved } = await this.#toStart(asked, datastore, order);
    await tidyFreezing(environment, found).catch((error: unknown) => {
      // What `vm.json` says is whole either way.
      this.#parts.log.warn(
        { err: error, vm: found.name },
        "what making a base of a disk has left is removed later",
      );
    });
    const hasLeft = saved === null && (await forgetRequests(datastore, found));
    // A guest that goes on has the devices that it had then.
    const vm = saved === null ? poweredOn(found, order.pluggable) : found;
    using _memory = memory.reserve(vm);
    await this.#parts.commands.mustTakeVms(vm.name);
    const [{ accelerator }, cpu] = await Promise.all([
      hypervisor.facts(),
      // A guest that goes on sees the CPU that it saw then.
      saved === null ? cpus.decide(vm, baseline) : vm.cpu,
    ]);
    await environment.checkOwnFiles(vm);
    await environment.checkPortGroups(vm.nics);
    await checkCpuAffinity(vm, config.name);
    using _devices = hostDevices.reserve(vm);
    undo.push("delete the taps and deactivate the volumes", () => environment.release(vm));
    const user = await environment.giveDisks(vm, ownUser, () => leases.mustCount(asked));
    await environment.checkDisks(vm, user);
    const spec = await environment.launchSpec({ ...vm, cpu }, accelerator, false, user);
    await environment.createTaps(vm, user);
    const process = await hypervisor.start({ ...spec, ...saved?.spec }, leases.launcher(vm));
    processes.add(process, "starting");
    undo.push("end QEMU", () => vms.end(process));
    if (saved === null) {
      await this.#know(process, datastore, baseline);
      await process.resume();
      processes.mark(vm.id, "running");
    } else await this.#goOn(process, saved, datastore);
    undo.commit();
    if (hasLeft) this.#parts.settleDisks(process);
    await removeMemory(datastore, vm.name).catch((error: unknown) => {
      this.#parts.log.warn({ err: error, vm: vm.name }, "a memory that is used up could not be removed");
    });
    return startedAs(processes, id);
  }

  /**
   * A guest goes on with memory that was saved. Where QEMU surely does not let it run, that memory is as it was.
   * @throws SNAPSHOT_LOAD_FAILED, SUSPENDED_MEMORY_UNUSABLE, QMP_INTERRUPTED
   */
  async #goOn(process: QemuProcess, saved: SavedMemory, own: Datastore): Promise<void> {
    const { processes } = this.#parts;
    await saved.load(process);
    await spend(own, process);
    if (saved.paused) {
      processes.paused(process.vmId, "user");
      return;
    }
    const refusal = await resumeForSure(process);
    if (refusal !== null) {
      await saveVm(own, saved.spec.vm);
      throw saved.failed(`QEMU does not let it run (${refusal})`);
    }
    processes.mark(process.vmId, "running");
    this.#goneOn(process);
  }

  /** What a guest that was away does not know: the time, and that the network must learn where it is. */
  #goneOn(process: QemuProcess): void {
    const { log } = this.#parts;
    correctGuestClock(process, log);
    process.migration.announce().catch((error: unknown) => {
      log.warn({ err: error, vm: process.spec.vm.name }, "where a VM is could not be announced");
    });
  }

  /**
   * Lets a guest run that a start which was cut off has left standing. One that has not all of its memory is ended.
   * @returns whether there was one @throws VM_PAUSED, LEASE_HELD, LEASE_UNAVAILABLE
   */
  async #letStandingGoOn(
    { id, name: vm }: Vm,
    datastore: Datastore,
    baseline: Baseline | null,
  ): Promise<boolean> {
    const { config, leases, processes, vms } = this.#parts;
    const existing = processes.of(id);
    if (existing === undefined) return false;
    if (existing.spec.loads !== undefined) {
      await vms.end(existing);
      return false;
    }
    const reason = processes.pauseReasonOf(id);
    if (reason !== null) throw GodwitError.of("VM_PAUSED", { vm, host: config.name, reason });
    // Whoever holds the lease may let it run.
    await mustHaveLease(leases, existing.spec.vm, existing);
    const isPaused = existing.spec.vm.suspension?.paused === true;
    await spend(datastore, existing);
    await this.#know(existing, datastore, baseline);
    if (isPaused) processes.paused(id, "user");
    else await existing.resume();
    return true;
  }

  /**
   * The VM as `vm.json` has it, where the server may not have heard of it: a disk has moved, a device is gone, or it was reverted to a snapshot or suspended;
   * and the memory that its guest goes on with. The caller has its exclusive lease.
   * @throws VM_FOLDER_OTHER, SNAPSHOT_ALREADY_LOADED, SUSPENDED_MEMORY_UNUSABLE, SNAPSHOT_FAILED
   */
  async #toStart(
    asked: Vm,
    own: Datastore,
    { snapshot, discardMemory }: StartOrder,
  ): Promise<{ vm: Vm; saved: SavedMemory | null }> {
    const { config, environment, hypervisor } = this.#parts;
    const host = config.name;
    const read = await readVmFile(own, asked.name);
    if (read !== null && read.id !== asked.id)
      throw GodwitError.of("VM_FOLDER_OTHER", { vm: asked.name, host, folder: own.resolve(asked.name) });
    if (snapshot !== null) return ofSnapshot(snapshot, read ?? asked, host);
    if (read === null) return { vm: asked, saved: null };
    const { suspension } = read;
    if (suspension !== undefined && !discardMemory) {
      await environment.checkOwnFiles(read);
      const stores = await environment.datastoresOf(read);
      return await ofSuspension({ ...read, suspension }, stores, { host, qemu: await hypervisor.facts() });
    }
    const stored = notSuspended(read);
    if (suspension !== undefined) await saveVm(own, stored);
    if (stored.snapshots === undefined && asked.snapshots === undefined)
      return { vm: { ...notSuspended(asked), ...ownParts(stored) }, saved: null };
    if (stored.revertingTo === undefined) return { vm: stored, saved: null };
    await environment.checkOwnFiles(stored);
    return { vm: await completeRevert(await environment.datastoresOf(stored), stored), saved: null };
  }

  /** What QEMU shows the guest is kept in the VM's folder and with the process, and QEMU has the memory target, before the guest runs. */
  async #know(process: QemuProcess, datastore: Datastore, baseline: Baseline | null): Promise<void> {
    const { vm } = process.spec;
    const shown = { ...vm, cpu: await this.#parts.cpus.shown(vm, baseline, process) };
    await saveVm(datastore, shown);
    await process.updateVm(shown);
    await setMemoryTarget(process);
  }
}
