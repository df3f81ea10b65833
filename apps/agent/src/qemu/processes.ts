/**
 * The QEMU processes of this host by VM, with the state that each is in. States follow QEMU's own events;
 * every change is told as `vm.stateChanged`. How those ended that have is kept of the last ones only.
 */
import type { PauseReason, Vm, VmId, VmRuntime, VmState, VmUser } from "@godwit/contract";
import { stopReasonOf, type QemuProcess } from "@godwit/hypervisor";
import type { EventLog } from "../event-log.ts";
import { isOutOfOrder } from "./memory-order.ts";

/** Changes are reported a little later: who receives them asks for the facts, and a switch needs its host for itself. */
const tellAfterMs = 250;
/** Processes that have ended and are still told of: a server that was away for a while learns how. */
const keptEnded = 300;

interface Entry {
  vm: Pick<Vm, "id" | "name" | "memoryMib">;
  /** Null once it is gone. */
  process: QemuProcess | null;
  state: VmState;
  /** Why it stands still; null: it does not, or a move has stopped it. */
  pauseReason: PauseReason | null;
  /** What stopped the guest last, until it runs again: QEMU tells it before it tells of the stop. */
  stopReason: PauseReason | null;
  /** Its memory cannot be sent; false also until that is known. */
  memoryOutOfOrder: boolean;
  /** It is being ended on purpose: whoever does that says when it is gone, and how it ended. */
  isBeingEnded: boolean;
  telling: NodeJS.Timeout | undefined;
}

export class Processes {
  readonly #entries = new Map<VmId, Entry>();
  readonly #events: EventLog;
  readonly #onGone: (process: QemuProcess) => void;
  readonly #onShutDown: (process: QemuProcess) => void;
  readonly #onUnsettled: (process: QemuProcess) => void;

  /**
   * @param onGone called with processes that ended by themselves. Of a guest that had switched itself off `stopped` is
   *   not told yet: what it leaves, its lease above all, is given back before that
   * @param onShutDown called with those whose guest has switched itself off; they stand until they are ended
   * @param onUnsettled called with those whose devices may be others than is noted, as when a guest has let one go
   */
  constructor(
    events: EventLog,
    onGone: (process: QemuProcess) => void,
    onShutDown: (process: QemuProcess) => void,
    onUnsettled: (process: QemuProcess) => void = () => undefined,
  ) {
    this.#events = events;
    this.#onGone = onGone;
    this.#onShutDown = onShutDown;
    this.#onUnsettled = onUnsettled;
  }

  of(vmId: VmId): QemuProcess | undefined {
    return this.#entries.get(vmId)?.process ?? undefined;
  }

  stateOf(vmId: VmId): VmState | undefined {
    return this.#entries.get(vmId)?.state;
  }

  /** The VM's id where no process of it is known. */
  nameOf(vmId: VmId): string {
    return this.#entries.get(vmId)?.vm.name ?? vmId;
  }

  get present(): QemuProcess[] {
    return [...this.#entries.values()].flatMap(({ process }) => process ?? []);
  }

  /** Runs that go on, and how those that ended did so. */
  get runtimes(): VmRuntime[] {
    return [...this.#entries.values()].map(({ vm, process, state, pauseReason, memoryOutOfOrder }) => ({
      id: vm.id,
      name: vm.name,
      state,
      pid: process?.identity.pid ?? null,
      accelerator: process?.spec.accelerator ?? null,
      startedAt: process?.startedAt ?? null,
      // As it is now: memory may have been added.
      memoryMib: (process?.spec.vm ?? vm).memoryMib,
      user: process === null ? null : userOf(process),
      pauseReason,
      ...(process?.tpmHasEnded === true ? { tpmEnded: true } : {}),
      ...(process !== null && memoryOutOfOrder ? { memoryOutOfOrder } : {}),
    }));
  }

  pauseReasonOf(vmId: VmId): PauseReason | null {
    return this.#entries.get(vmId)?.pauseReason ?? null;
  }

  /** Takes a process into the list and follows it. @param pauseReason why it stands still already */
  add(process: QemuProcess, state: VmState, pauseReason: PauseReason | null = null): void {
    const { vm } = process.spec;
    const entry: Entry = {
      ...{ vm, process, state, pauseReason, stopReason: pauseReason },
      ...{ memoryOutOfOrder: false, isBeingEnded: false, telling: undefined },
    };
    this.#entries.set(process.vmId, entry);
    process.onEvent((event) => {
      const reason = stopReasonOf(event);
      if (reason !== null) entry.stopReason = reason;
      if (event.name === "RESUME" || event.name === "WAKEUP") {
        entry.stopReason = null;
        this.#set(entry, "running");
      } else if (event.name === "DEVICE_DELETED") this.#onUnsettled(process);
      else if (event.name === "SUSPEND") this.#set(entry, "paused", "suspended");
      else if (reason === "shutdown") {
        this.#set(entry, "stopping", reason);
        this.#onShutDown(process);
      } else if (event.name === "STOP" && entry.state === "running")
        this.#set(entry, "paused", entry.stopReason);
    });
    // Once: its arguments and its version stay what they are. What QEMU does not answer is asked again by what needs it.
    void isOutOfOrder(process).then(
      (answer) => (entry.memoryOutOfOrder = answer),
      () => undefined,
    );
    void process.ended.then(() => {
      if (entry.process === null || entry.isBeingEnded) return;
      this.#end(entry, entry.stopReason === "shutdown" ? "stopping" : "lost");
      this.#onGone(process);
    });
    this.#tell(entry);
  }

  /** A change of its devices was cut off, and what has come of it is not known. */
  unsettled(process: QemuProcess): void {
    this.#onUnsettled(process);
  }

  /** A process that was gone when the agent came back. */
  addGone(vm: Vm): void {
    const entry: Entry = {
      ...{ vm, process: null, state: "lost", pauseReason: null, stopReason: null },
      ...{ memoryOutOfOrder: false, isBeingEnded: false, telling: undefined },
    };
    this.#keep(entry);
    this.#tell(entry);
  }

  /** The VM is deleted: how it ended is of no interest any more. */
  forget(vmId: VmId): void {
    if (this.of(vmId) === undefined) this.#entries.delete(vmId);
  }

  mark(vmId: VmId, state: "running" | "stopping"): void {
    const entry = this.#entries.get(vmId);
    // A guest that was let run may have switched itself off before the one who let it run has QEMU's answer.
    if (entry === undefined || (state === "running" && entry.stopReason === "shutdown")) return;
    this.#set(entry, state);
  }

  /** It does not answer any more, and is in the list again when it does. */
  leave(vmId: VmId): void {
    this.#entries.delete(vmId);
  }

  /** Its process is ended from now on; it stays in the list until that is gone. */
  ending(vmId: VmId): void {
    const entry = this.#entries.get(vmId);
    if (entry !== undefined) entry.isBeingEnded = true;
  }

  /** Its process is proven gone. It is `stopping` until what it leaves is given back, and `remove` tells how it ended. */
  gone(vmId: VmId): void {
    const entry = this.#entries.get(vmId);
    if (entry !== undefined && entry.process !== null) this.#end(entry, "stopping");
  }

  /** It stands still for this reason, which QEMU does not tell: by the user, or as it did where it was moved from. */
  paused(vmId: VmId, reason: PauseReason): void {
    const entry = this.#entries.get(vmId);
    if (entry === undefined) return;
    entry.stopReason = reason;
    if (reason === "shutdown") this.#set(entry, "stopping", reason);
    else this.#set(entry, "paused", reason);
  }

  /** Its process is gone and nothing of it is left to give back: the VM is not here any more, stopped, or lost. */
  remove(vmId: VmId, as: "moved" | "stopped" | "lost"): void {
    const entry = this.#entries.get(vmId);
    if (entry === undefined) return;
    if (as === "moved") {
      entry.process = null;
      this.#entries.delete(vmId);
      this.#events.append("vm.movedAway", { kind: "vm", id: vmId }, {});
      return;
    }
    this.#end(entry, as);
  }

  #end(entry: Entry, state: VmState): void {
    entry.process = null;
    // A VM that was started again since, or is not here any more, has nothing to do with this entry.
    if (this.#entries.get(entry.vm.id) === entry) this.#keep(entry);
    this.#set(entry, state);
  }

  /** As the newest of those that have ended. */
  #keep(entry: Entry): void {
    this.#entries.delete(entry.vm.id);
    this.#entries.set(entry.vm.id, entry);
    const ended = [...this.#entries.values()].filter(({ process }) => process === null);
    for (const { vm } of ended.slice(0, -keptEnded)) this.#entries.delete(vm.id);
  }

  #set(entry: Entry, state: VmState, pauseReason: PauseReason | null = null): void {
    if (entry.state === state && entry.pauseReason === pauseReason) return;
    entry.state = state;
    entry.pauseReason = pauseReason;
    this.#tell(entry);
  }

  #tell(entry: Entry): void {
    entry.telling ??= setTimeout(() => {
      const { vm, state, pauseReason } = entry;
      entry.telling = undefined;
      this.#events.append(
        "vm.stateChanged",
        { kind: "vm", id: vm.id },
        { name: vm.name, state, pauseReason },
      );
    }, tellAfterMs);
  }
}

const userOf = ({ user: { uid }, spec: { user } }: QemuProcess): VmUser => ({
  uid,
  sharedBecause:
    user === undefined
      ? "it was started by a version that has one user for all VMs; stop and start it"
      : user.sharedBecause,
});
