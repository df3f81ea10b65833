/**
 * The QEMU processes of this host by VM, with the state that each is in. States follow QEMU's own events;
 * every change is told as `vm.stateChanged`. How those ended that have is kept of the last ones only.
 */
import type { Vm, VmId, VmRuntime, VmState, VmUser } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import type { EventLog } from "../event-log.ts";

/** Changes are reported a little later: who receives them asks for the facts, and a switch needs its host for itself. */
const tellAfterMs = 250;
/** Processes that have ended and are still told of: a server that was away for a while learns how. */
const keptEnded = 300;

interface Entry {
  vm: Pick<Vm, "id" | "name" | "memoryMib">;
  /** Null once it is gone. */
  process: QemuProcess | null;
  state: VmState;
  telling: NodeJS.Timeout | undefined;
  /** The guest switched itself off: its process ends in order. */
  poweredOff: boolean;
}

export class Processes {
  readonly #entries = new Map<VmId, Entry>();
  /** VMs of which an earlier agent's process may run, and cannot be reached. */
  readonly #setAside = new Set<VmId>();
  readonly #events: EventLog;
  readonly #onGone: (process: QemuProcess) => void;

  /** @param onGone called with processes that ended without being told to */
  constructor(events: EventLog, onGone: (process: QemuProcess) => void) {
    this.#events = events;
    this.#onGone = onGone;
  }

  of(vmId: VmId): QemuProcess | undefined {
    return this.#entries.get(vmId)?.process ?? undefined;
  }

  stateOf(vmId: VmId): VmState | undefined {
    return this.#entries.get(vmId)?.state;
  }

  get present(): QemuProcess[] {
    return [...this.#entries.values()].flatMap(({ process }) => process ?? []);
  }

  /** Runs that go on, and how those that ended did so. */
  get runtimes(): VmRuntime[] {
    return [...this.#entries.values()].map(({ vm, process, state }) => ({
      id: vm.id,
      name: vm.name,
      state,
      pid: process?.identity.pid ?? null,
      accelerator: process?.spec.accelerator ?? null,
      startedAt: process?.startedAt ?? null,
      memoryMib: vm.memoryMib,
      user: process === null ? null : userOf(process),
    }));
  }

  /** Takes a process into the list and follows it. */
  add(process: QemuProcess, state: VmState): void {
    const entry: Entry = { vm: process.spec.vm, process, state, telling: undefined, poweredOff: false };
    this.#entries.set(process.vmId, entry);
    process.onEvent((event) => {
      if (event.name === "RESUME") this.#set(entry, "running");
      if (event.name === "STOP" && entry.state === "running") this.#set(entry, "paused");
      if (event.name === "SHUTDOWN" && event.data.guest === true) entry.poweredOff = true;
    });
    void process.ended.then(() => {
      if (entry.process === null) return;
      this.#end(entry, entry.poweredOff ? "stopped" : "lost");
      this.#onGone(process);
    });
    this.#tell(entry);
  }

  /** A process that was gone when the agent came back. */
  addGone(vm: Vm): void {
    const entry: Entry = { vm, process: null, state: "lost", telling: undefined, poweredOff: false };
    this.#keep(entry);
    this.#tell(entry);
  }

  /** Its process may run and cannot be reached, for as long as this agent runs. */
  setAside(vmId: VmId): void {
    this.#setAside.add(vmId);
  }

  isSetAside(vmId: VmId): boolean {
    return this.#setAside.has(vmId);
  }

  /** The VM is deleted: how it ended is of no interest any more. */
  forget(vmId: VmId): void {
    if (this.of(vmId) === undefined) this.#entries.delete(vmId);
  }

  mark(vmId: VmId, state: VmState): void {
    const entry = this.#entries.get(vmId);
    if (entry !== undefined) this.#set(entry, state);
  }

  /** It is ended on purpose: the VM is not here any more, or stopped. */
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

  #set(entry: Entry, state: VmState): void {
    if (entry.state === state) return;
    entry.state = state;
    this.#tell(entry);
  }

  #tell(entry: Entry): void {
    entry.telling ??= setTimeout(() => {
      const { vm, state } = entry;
      entry.telling = undefined;
      this.#events.append("vm.stateChanged", { kind: "vm", id: vm.id }, { name: vm.name, state });
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
