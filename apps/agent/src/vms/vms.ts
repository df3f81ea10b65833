/**
 * VMs of this host that have a process: paused, reset, stopped. A guest is let run only with its VM's exclusive lease, and
 * the lease is given back only when the process is gone.
 */
import {
  GodwitError,
  type GuestAddresses,
  type TaskId,
  type Vm,
  type VmActivity,
  type VmId,
  type VmRuntime,
} from "@godwit/contract";
import { guestAnswers, stopReasonOf, type QemuProcess } from "@godwit/hypervisor";
import { within } from "@godwit/system";
import type { Logger } from "pino";
import type { AgentConfig } from "../config.ts";
import type { Leases } from "../leases/leases.ts";
import { endForSure } from "../qemu/end-for-sure.ts";
import type { Processes } from "../qemu/processes.ts";
import { readActivity } from "./activity.ts";
import { readAddresses } from "./addresses.ts";
import type { Claims } from "./claims.ts";
import type { Environment } from "./environment.ts";
import { correctGuestClock } from "./guest-clock.ts";
import type { GuestWatchers } from "./guest-watchers.ts";
import { mustHaveLease, startedAs } from "./running-vm.ts";
import { spend, waits } from "./saved-memory.ts";
import { SharedWork } from "./shared-work.ts";

const answerLimitMs = 3000;

export interface VmsParts {
  config: Pick<AgentConfig, "name">;
  environment: Environment;
  processes: Processes;
  leases: Leases;
  guests: Pick<GuestWatchers, "wasReset">;
  claims: Claims;
  log: Logger;
}

export class Vms {
  readonly #parts: VmsParts;
  readonly #stopping = new SharedWork<string | null>();

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
   * Powers off: the guest's own way within the grace time, then QEMU's. Asked again while it goes on, it answers the same.
   * @returns why this host still holds the VM's lease, which it gives back by itself later; null: it is given back
   * @throws VM_BUSY
   */
  async stop(vmId: VmId, graceSeconds: number): Promise<string | null> {
    return await this.#stopping.do(vmId, () => this.#stop(vmId, graceSeconds));
  }

  async #stop(vmId: VmId, graceSeconds: number): Promise<string | null> {
    const { claims, processes } = this.#parts;
    // One that has no process may be set aside, or be on its way to the end: then it is claimed, and not stopped yet.
    using _claim = await claims.claim({ id: vmId, name: processes.nameOf(vmId) }, "it is being stopped");
    const process = processes.of(vmId);
    if (process === undefined) return null;
    processes.mark(vmId, "stopping");
    if (graceSeconds > 0) await powerDown(process, graceSeconds);
    return await this.end(process);
  }

  /** Stops the vCPUs; those that stand still already keep their reason. @throws VM_BUSY, VM_NOT_RUNNING */
  async pause(vmId: VmId): Promise<VmRuntime> {
    const { claims, processes } = this.#parts;
    const process = this.#present(vmId);
    using _claim = await claims.claim(process.spec.vm, "it is being paused");
    if (processes.stateOf(vmId) === "running") {
      await process.pause();
      processes.paused(vmId, (await process.guestState()).pauseReason ?? "user");
    }
    return startedAs(processes, vmId).runtime;
  }

  /**
   * Lets the vCPUs run, whatever stopped them; what had failed of a disk is tried again.
   * @throws VM_BUSY, VM_NOT_RUNNING, LEASE_HELD, LEASE_UNAVAILABLE, QMP_REFUSED where QEMU cannot go on with this guest
   */
  async resume(vmId: VmId): Promise<VmRuntime> {
    const { claims, processes } = this.#parts;
    const process = this.#present(vmId);
    using _claim = await claims.claim(process.spec.vm, "it is being resumed");
    await this.letRun(process);
    return startedAs(processes, vmId).runtime;
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
    if (process.spec.lastReset === id) return startedAs(processes, vmId).runtime;
    const state = processes.stateOf(vmId);
    if (state !== "running")
      throw GodwitError.of("VM_NOT_RUNNING", { vm: vm.name, state: state ?? "not on this host" });
    if (unlessItAnswers && (await guestAnswers(process.paths.guestAgent, answerLimitMs)))
      throw GodwitError.of("VM_GUEST_ANSWERS", { vm: vm.name, host: config.name });
    await process.reset();
    await process.noteReset(id).catch((error: unknown) => {
      this.#parts.log.warn(
        { err: error, vm: vm.name },
        "a reset could not be noted: it may be repeated after a restart of the agent",
      );
    });
    guests.wasReset(vmId);
    return startedAs(processes, vmId).runtime;
  }

  /** The same for a VM that nobody else works on; false: somebody does. */
  async tryResume(process: QemuProcess): Promise<boolean> {
    using claim = this.#parts.claims.tryShort(process.vmId, "it is being resumed");
    if (claim === null || this.#parts.processes.of(process.vmId) !== process) return false;
    await this.letRun(process);
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
    await this.end(process);
  }

  #whenFree(process: QemuProcess, what: string, act: () => Promise<void>): void {
    const { claims, log } = this.#parts;
    claims.whenFree(process.vmId, what, () => {
      act().catch((error: unknown) => {
        log.warn({ err: error, vm: process.spec.vm.name }, `${what} was not seen to`);
      });
    });
  }

  /**
   * Lets a guest run that the caller has the claim of; it is not suspended any more.
   * @throws VM_NOT_RUNNING, LEASE_HELD, LEASE_UNAVAILABLE, QMP_REFUSED
   */
  async letRun(process: QemuProcess): Promise<void> {
    const { environment, leases, processes, log } = this.#parts;
    const { vm } = process.spec;
    const reason = processes.pauseReasonOf(process.vmId);
    if (reason === "shutdown")
      throw GodwitError.of("VM_NOT_RUNNING", { vm: vm.name, state: "shutting down" });
    await mustHaveLease(leases, vm, process);
    if (waits(vm)) await spend(await environment.datastore(vm.datastore), process);
    if (process.spec.suspending !== undefined) await process.noteSuspending(null);
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

  /** Ends a VM that the caller has the claim of. @returns why this host still holds the VM's lease, or null */
  async end(process: QemuProcess): Promise<string | null> {
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
    await environment.release(vm).catch((error: unknown) => {
      log.error({ err: error, vm: vm.name }, "the VM's taps or volumes could not be removed");
    });
    const kept = await leases.releaseUnlessShared(vm);
    if (kept !== null) log.warn({ vm: vm.name, reason: kept }, "a VM that has ended keeps its lease for now");
    if (processes.stateOf(vm.id) === "stopping") processes.remove(vm.id, "stopped");
    return kept;
  }
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
