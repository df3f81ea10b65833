/**
 * Suspends VMs to disk: the guest is stopped, its memory is written to the VM's folder, the suspension is entered in `vm.json`, and QEMU ends.
 * Before that entry the guest can continue here; after it, the entry is removed before the guest may run. Cut off in between, the VM is
 * paused, and is suspended by the next attempt.
 */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { GodwitError, type Suspension, type TaskId, type Vm, type VmId } from "@godwit/contract";
import { beginSaving, hasGivenDisksBack, saved, savingIsOver, type QemuProcess } from "@godwit/hypervisor";
import { qemuOverheadBytes } from "@godwit/requirements";
import {
  disksNow,
  findMemory,
  readVm,
  removeMemory,
  saveVm,
  unfinishedMemory,
  watchCopy,
  writeMemory,
  type Datastore,
} from "@godwit/storage";
import { requireSpace, sleep } from "@godwit/system";
import type { Logger } from "pino";
import type { AgentConfig } from "../config.ts";
import type { EventLog } from "../event-log.ts";
import { acceptQemu } from "../qemu/accept-qemu.ts";
import type { Processes } from "../qemu/processes.ts";
import { reasonOf } from "../reason.ts";
import type { Claims } from "./claims.ts";
import type { Environment } from "./environment.ts";
import { mustHaveSettledMemory } from "./devices/settle-memory.ts";
import { mustBeSavable } from "./host-devices.ts";
import { mustBeOrdered } from "../qemu/memory-order.ts";
import { SharedWork } from "./shared-work.ts";
import { spend } from "./saved-memory.ts";
import type { Vms } from "./vms.ts";

/** To let a guest run again. */
const attempts = 10;
const againMs = 1000;

export interface SuspensionsParts {
  config: Pick<AgentConfig, "name">;
  environment: Pick<Environment, "datastore" | "datastoresOf">;
  processes: Pick<Processes, "of" | "stateOf" | "pauseReasonOf">;
  vms: Pick<Vms, "end" | "letRun">;
  claims: Claims;
  events: EventLog;
  log: Logger;
}

/** `leaseKept`: why this host still holds the VM's lease; null: it is given back. */
interface Suspended {
  vm: Vm;
  /** Of its memory. */
  bytes: number;
  leaseKept: string | null;
}

interface Order {
  /** That asked last. Undefined: an earlier server has named none. */
  task: TaskId | undefined;
  controller: AbortController;
}

/** Where the VM's folder lies. */
interface Place {
  datastore: string;
  name: string;
}

export class Suspensions {
  readonly #parts: SuspensionsParts;
  readonly #underWay = new SharedWork<Suspended>();
  /** Those under way. */
  readonly #orders = new Map<VmId, Order>();

  constructor(parts: SuspensionsParts) {
    this.#parts = parts;
  }

  /**
   * Asked again while it goes on, or after it, it answers the same.
   * @throws VM_UNKNOWN, VM_BUSY, VM_NOT_RUNNING, HOST_DEVICE_UNSAVABLE, SPACE_SHORT, SUSPEND_FAILED, SUSPEND_CANCELLED and what is wrong with the datastore
   */
  async suspend(id: VmId, place: Place, task?: TaskId): Promise<Suspended> {
    await this.#takeOver(id, task);
    return await this.#underWay.do(id, async () => {
      const { claims, environment, processes } = this.#parts;
      const own = await environment.datastore(place.datastore);
      using _claim = await claims.claim({ id, name: place.name }, "it is being suspended to disk");
      const vm = await ownVm(own, id, place);
      const process = processes.of(id);
      if (process === undefined) {
        if (vm.suspension !== undefined)
          return { vm, bytes: (await findMemory(own, vm.name))?.bytes ?? 0, leaseKept: null };
        throw GodwitError.of("VM_NOT_RUNNING", { vm: vm.name, state: processes.stateOf(id) ?? "stopped" });
      }
      if (vm.suspension === undefined) {
        mustBeSavable(vm, this.#parts.config.name);
        await mustBeOrdered(process);
      }
      mustHaveSettledMemory(vm);
      const order: Order = { task, controller: new AbortController() };
      this.#orders.set(id, order);
      try {
        return await this.#suspend(process, own, vm, order);
      } finally {
        this.#orders.delete(id);
      }
    });
  }

  /**
   * Ends a task's suspension before the VM is suspended: its guest goes on as before, and nothing is left of its memory. Also one that was cut off with
   * an earlier agent. Another task's goes on: a cancellation may arrive late.
   * @returns whether the task does not suspend the VM any more; false: it was too late, and `suspend` completes it
   * @throws VM_UNKNOWN, VM_BUSY, SUSPEND_FAILED where its guest cannot go on, and what is wrong with the datastore
   */
  async cancel(id: VmId, place: Place, task?: TaskId): Promise<boolean> {
    const { claims, environment, processes } = this.#parts;
    const underWay = this.#orders.get(id);
    if (isOfAnother(task, underWay?.task)) return true;
    underWay?.controller.abort(cancelled());
    await this.#underWay.settled(id);
    const own = await environment.datastore(place.datastore);
    using _claim = await claims.claim({ id, name: place.name }, "its suspension is being cancelled");
    const vm = await ownVm(own, id, place);
    const process = processes.of(id);
    if (vm.suspension !== undefined) return false;
    const before = process?.spec.suspending;
    if (process === undefined || before === undefined || isOfAnother(task, before.task)) return true;
    const problem = await this.#failed(process, own, { vm, ran: before.ran }, cancelled());
    if (problem.code === "SUSPEND_CANCELLED") return true;
    throw problem;
  }

  /** One that an earlier task has begun is the task's that asks last: the earlier one has ended without knowing how. */
  async #takeOver(id: VmId, task: TaskId | undefined): Promise<void> {
    const underWay = this.#orders.get(id);
    if (underWay === undefined || task === undefined || underWay.task === task) return;
    underWay.task = task;
    const process = this.#parts.processes.of(id);
    const noted = process?.spec.suspending;
    if (noted !== undefined) await process?.noteSuspending({ ...noted, task });
  }

  async #suspend(process: QemuProcess, own: Datastore, vm: Vm, order: Order): Promise<Suspended> {
    const { signal } = order.controller;
    const { processes, vms } = this.#parts;
    const state = processes.stateOf(vm.id);
    const reason = processes.pauseReasonOf(vm.id);
    if (state !== "running" && !(state === "paused" && (reason === null || reason === "user")))
      throw GodwitError.of("VM_NOT_RUNNING", { vm: vm.name, state: state ?? "not on this host" });
    // One that an earlier agent began may be on its way to its end.
    await savingIsOver(process);
    const disksGiven = await hasGivenDisksBack(process);
    // An earlier attempt was cut off when there was nothing left but to end it.
    if (vm.suspension !== undefined && disksGiven)
      return await this.#end(process, vm, (await findMemory(own, vm.name))?.bytes ?? 0);
    // As it was before an attempt that was cut off.
    const { ran } = process.spec.suspending ?? { ran: state === "running" };
    let noted: { vm: Vm; bytes: number };
    try {
      signal.throwIfAborted();
      if (disksGiven && !ran)
        throw new Error("an earlier attempt was cut off, and QEMU writes no more before its guest has run");
      await requireSpace(own.resolve(vm.name), vm.memoryMib * 2 ** 20 + qemuOverheadBytes);
      if (disksGiven) await vms.letRun(process);
      // Another task may have joined it.
      await process.noteSuspending({ ran, ...(order.task === undefined ? {} : { task: order.task }) });
      await process.pause();
      const bytes = await this.#write(process, own, vm, signal);
      // A guest that stood still before would have to run before its memory could be written again: that one is suspended.
      if (ran) signal.throwIfAborted();
      noted = { vm: await this.#note(process, own, { vm, ran }), bytes };
    } catch (error) {
      throw await this.#failed(process, own, { vm, ran }, error);
    }
    return await this.#end(process, noted.vm, noted.bytes);
  }

  /** @returns the bytes of the file */
  async #write(
    process: QemuProcess,
    own: Datastore,
    { id, name, memoryMib }: Vm,
    signal: AbortSignal,
  ): Promise<number> {
    const { events } = this.#parts;
    using _progress = watchCopy(
      unfinishedMemory(own, name),
      { disk: "memory", totalBytes: memoryMib * 2 ** 20 },
      (copy) => {
        events.append("vm.imageCopied", { kind: "vm", id }, { copy });
      },
    );
    const stream = await acceptQemu(join(process.paths.folder, "suspend.sock"), (path) =>
      beginSaving(process, path),
    );
    // QEMU fails as by a disk that is full: told to cancel while it gives its disks back, one of 7.2 aborts.
    const stop = () => stream.destroy(cancelled());
    signal.addEventListener("abort", stop);
    try {
      signal.throwIfAborted();
      const bytes = await writeMemory(own, name, stream);
      await saved(process);
      return bytes;
    } finally {
      signal.removeEventListener("abort", stop);
      // QEMU must not wait for a reader that is gone.
      stream.destroy();
    }
  }

  /** From now on the VM is suspended, however this ends. */
  async #note(process: QemuProcess, own: Datastore, { vm, ran }: { vm: Vm; ran: boolean }): Promise<Vm> {
    const suspension: Suspension = {
      id: randomUUID(),
      suspendedAt: new Date().toISOString(),
      ...(ran ? {} : { paused: true as const }),
      memory: { accelerator: process.spec.accelerator, qemuVersion: await process.version() },
      disks: await disksNow(await this.#parts.environment.datastoresOf(vm), vm),
    };
    const suspended = { ...vm, suspension };
    // With the process first: whoever lets its guest run goes by that.
    await process.updateVm(suspended);
    await saveVm(own, suspended);
    return suspended;
  }

  async #end(process: QemuProcess, vm: Vm, bytes: number): Promise<Suspended> {
    return { vm, bytes, leaseKept: await this.#parts.vms.end(process) };
  }

  /** The guest goes on where it ran before, and what was written of its memory is removed. */
  async #failed(
    process: QemuProcess,
    own: Datastore,
    { vm: { id, name: vm }, ran }: { vm: Vm; ran: boolean },
    error: unknown,
  ): Promise<GodwitError> {
    const { config, log, processes } = this.#parts;
    const couldNot = (what: string) => (left: unknown) => {
      log.warn({ err: left, vm }, `after a suspension that failed, ${what}`);
    };
    const isBack = await this.#back(process, own, ran).then(
      () => true,
      (left: unknown) => {
        couldNot("the guest could not be let run")(left);
        return false;
      },
    );
    // Until then `vm.json` may name it.
    if (isBack)
      await removeMemory(own, vm).catch(couldNot("what was written of its memory could not be removed"));
    const state = processes.stateOf(id) ?? "lost";
    if (isBack && isCancelled(error)) return GodwitError.of("SUSPEND_CANCELLED", { vm, host: config.name });
    if (GodwitError.is(error, "SPACE_SHORT")) return error;
    const reason = reasonOf(error).replace(/\.$/, "");
    return GodwitError.of("SUSPEND_FAILED", { vm, host: config.name, reason, state }, { cause: error });
  }

  /** As it was before the attempt: it runs, or is paused, and is not suspended. @throws what the last try throws */
  async #back(process: QemuProcess, own: Datastore, ran: boolean): Promise<void> {
    await savingIsOver(process);
    if (!ran) {
      await spend(own, process);
      await process.noteSuspending(null);
      return;
    }
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#parts.vms.letRun(process);
        return;
      } catch (error) {
        if (attempt >= attempts || GodwitError.is(error, "QMP_INTERRUPTED")) throw error;
      }
      await sleep(againMs);
    }
  }
}

/** @throws VM_UNKNOWN, VM_DESCRIPTION_INVALID */
async function ownVm(own: Datastore, id: VmId, { name }: Place): Promise<Vm> {
  const vm = await readVm(own, name);
  if (vm.id !== id) throw GodwitError.of("VM_UNKNOWN", { vm: name });
  return vm;
}

/** @param found the task of a suspension; absent: an earlier agent or server has noted none */
const isOfAnother = (task: TaskId | undefined, found: TaskId | undefined): boolean =>
  found !== undefined && found !== task;

class Cancelled extends Error {}
const cancelled = (): Error => new Cancelled("it was cancelled");
const isCancelled = (error: unknown): boolean => error instanceof Cancelled;
