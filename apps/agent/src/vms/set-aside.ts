/**
 * VMs whose QEMU process may run and cannot be relied on: it does not answer, or what is noted of it is broken. Such a
 * VM is claimed, keeps its lease, and is told by an alarm; it is looked at again now and then, and before each command
 * on it, until its process answers or is gone.
 */
import type { Vm, VmId } from "@godwit/contract";
import type { Adopted, Hypervisor, QemuProcess } from "@godwit/hypervisor";
import type { Logger } from "pino";
import { foundState } from "../qemu/found-state.ts";
import { reasonOf } from "../reason.ts";
import { RepeatedLook } from "../repeated-look.ts";
import type { Claims } from "./claims.ts";
import type { Processes } from "../qemu/processes.ts";

const everyMs = 10_000;

export interface SetAsideParts {
  hypervisor: Pick<Hypervisor, "adoptOne">;
  processes: Processes;
  claims: Claims;
  /** Moves that wait until a VM's process answers or is gone. */
  moves: { isUnanswerable: (vmId: VmId) => boolean; takeUp: (vm: Pick<Vm, "id" | "name">) => Promise<void> };
  /** Its process is back in the list. */
  onBack: (vm: Vm) => Promise<void>;
  /** Its process is gone. */
  onGone: (vm: Vm) => Promise<void>;
  /** What is told of it has changed. */
  onChange: () => void;
  log: Logger;
}

interface Entry {
  name: string;
  reason: string;
  claim: Disposable;
}

export class SetAside {
  readonly #parts: SetAsideParts;
  readonly #entries = new Map<VmId, Entry>();
  /** Two looks at one VM at the same time would find its process twice. */
  #looking: Promise<void> = Promise.resolve();

  constructor(parts: SetAsideParts) {
    this.#parts = parts;
  }

  async add(vm: Pick<Vm, "id" | "name">, reason: string): Promise<void> {
    const claim = await this.#parts.claims.claim(vm, reason);
    this.#entries.set(vm.id, { name: vm.name, reason, claim });
    this.#parts.log.error({ vm: vm.name, reason }, "a VM is set aside: its QEMU process cannot be relied on");
  }

  has(vmId: VmId): boolean {
    return this.#entries.has(vmId);
  }

  get all(): { id: VmId; name: string; reason: string }[] {
    return [...this.#entries].map(([id, { name, reason }]) => ({ id, name, reason: reason.slice(0, 4096) }));
  }

  /** Nobody tells when a QEMU answers again, or an operator has repaired what is noted of it. */
  repeated(): RepeatedLook {
    return new RepeatedLook(
      everyMs,
      () => this.lookAgain(),
      (error) => {
        this.#parts.log.warn({ err: error }, "VMs that are set aside could not be looked at");
      },
    );
  }

  /** At one of them, or at all. What is found is not thrown: it is told by `all`. */
  async lookAgain(vmId?: VmId): Promise<void> {
    if (this.#entries.size === 0 || (vmId !== undefined && !this.#entries.has(vmId))) return;
    const look = async () => {
      for (const id of vmId === undefined ? [...this.#entries.keys()] : [vmId]) await this.#look(id);
    };
    this.#looking = this.#looking.then(look);
    await this.#looking;
  }

  async #look(vmId: VmId): Promise<void> {
    const { hypervisor, processes, claims, moves, onBack, onGone, log } = this.#parts;
    const entry = this.#entries.get(vmId);
    if (entry === undefined) return;
    const isInMove = moves.isUnanswerable(vmId);
    try {
      const found = await hypervisor.adoptOne(vmId);
      const reason = reasonIn(found);
      if (reason !== null) {
        this.#tell(entry, reason);
        return;
      }
      const [process] = found.processes;
      if (process !== undefined && !(await this.#takeBack(process, entry, isInMove))) return;
      const [ended] = found.ended;
      if (ended !== undefined) {
        processes.addGone(ended.spec.vm);
        if (!isInMove) await onGone(ended.spec.vm);
      }
      entry.claim[Symbol.dispose]();
      if (isInMove) await this.#takeMoveUp(vmId, entry);
      // A move that goes on clears what its QEMU left by itself.
      if (isInMove && ended !== undefined && !claims.isHeld(vmId)) await onGone(ended.spec.vm);
      this.#entries.delete(vmId);
      log.info({ vm: entry.name, runs: process !== undefined }, "a VM is not set aside any more");
      this.#parts.onChange();
      if (process !== undefined) await onBack(process.spec.vm);
    } catch (error) {
      log.warn({ err: error, vm: entry.name }, "a VM that is set aside could not be looked at");
    }
  }

  /** The move has the VM's claim from here on. @throws any error of the move's: the VM is set aside as before */
  async #takeMoveUp(vmId: VmId, entry: Entry): Promise<void> {
    const { claims, moves, processes } = this.#parts;
    const vm = { id: vmId, name: entry.name };
    try {
      await moves.takeUp(vm);
    } catch (error) {
      const process = processes.of(vmId);
      process?.release();
      if (process !== undefined) processes.leave(vmId);
      entry.claim = await claims.claim(vm, notAnswering);
      throw error;
    }
  }

  /** @returns whether it is in the list of processes */
  async #takeBack(process: QemuProcess, entry: Entry, isInMove: boolean): Promise<boolean> {
    try {
      const { state, pauseReason } = await foundState(process);
      if (state === "incoming" && !isInMove) {
        process.release();
        this.#tell(entry, "it waits for a move that nobody knows of; restart the agent, which ends it");
        return false;
      }
      this.#parts.processes.add(process, state, pauseReason);
      return true;
    } catch (error) {
      process.release();
      this.#tell(entry, reasonOf(error));
      return false;
    }
  }

  #tell(entry: Entry, reason: string): void {
    if (entry.reason === reason) return;
    entry.reason = reason;
    this.#parts.onChange();
  }
}

const reasonIn = ({ unresponsive, quarantined }: Adopted): string | null => {
  const [broken] = quarantined;
  if (broken !== undefined) return reasonOf(broken.error);
  return unresponsive.length > 0 ? notAnswering : null;
};

export const notAnswering = "its QEMU process does not answer";
