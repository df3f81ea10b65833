/**
 * Reconciles this host's leases with what runs here, outside of moves: makes up for every release or
 * conversion that a crash or an absent lease service prevented, takes the lease of a VM that runs here and has
 * none in the server's database (a server that lost it), and ends a VM whose lease on shared storage is not
 * this host's any more.
 */
import { reconcileLeases, type LeaseAction, type PresentVm } from "@godwit/migration";
import type { QemuProcess } from "@godwit/hypervisor";
import type { Logger } from "pino";
import type { Claims } from "./vms/claims.ts";
import type { Processes } from "./qemu/processes.ts";
import { RepeatedLook } from "./repeated-look.ts";
import type { Leases, OwnLease, VmRef } from "./leases/leases.ts";

const everyMs = 3000;

export class LeaseReconciler {
  readonly #leases: Leases;
  readonly #processes: Processes;
  readonly #claims: Claims;
  readonly #log: Logger;

  constructor(leases: Leases, processes: Processes, claims: Claims, log: Logger) {
    this.#leases = leases;
    this.#processes = processes;
    this.#claims = claims;
    this.#log = log;
  }

  /** Nobody tells when the lease service is back or a lease has become free: it is asked now and then. */
  repeated(): RepeatedLook {
    return new RepeatedLook(everyMs, () => this.reconcile(), this.#notReconciled);
  }

  async reconcile(): Promise<void> {
    await this.#reconcileOnDisk().catch(this.#notReconciled);
    await this.#reconcileInRows().catch(this.#notReconciled);
  }

  readonly #notReconciled = (error: unknown): void => {
    this.#log.debug({ err: error }, "leases were not reconciled");
  };

  async #reconcileOnDisk(): Promise<void> {
    const own = await this.#leases.ownOnDisk();
    await this.#reconcileShared(own.filter(({ isBroken }) => !isBroken));
    for (const process of this.#processes.present) {
      if (!this.#leases.isOnDisk(process.spec.vm)) continue;
      const lease = own.find(({ vm }) => vm.id === process.vmId);
      if (lease === undefined) await this.#endUnleased(process, "this host does not hold its lease any more");
      else if (lease.isBroken) await this.#endUnleased(process, "its lease was broken");
      else if (lease.isOrphan) await this.#endUnleased(process, "the holder of its lease is gone");
    }
    for (const { vm } of own.filter(({ isBroken }) => isBroken)) {
      using claim = this.#claims.tryShort(vm.id, "its lease is reconciled");
      if (claim !== null && this.#processes.of(vm.id) === undefined) await this.#leases.release(vm);
    }
  }

  async #reconcileInRows(): Promise<void> {
    const own = (await this.#leases.ownInRows()).filter(({ vm }) => this.#isInRow(vm.id));
    await this.#act(
      own,
      this.#present(({ vmId }) => this.#isInRow(vmId)),
    );
  }

  /** On shared storage a VM that runs without its lease is ended, and does not get it back. */
  async #reconcileShared(own: readonly OwnLease[]): Promise<void> {
    const isHeld = new Set(own.map(({ vm }) => vm.id));
    await this.#act(
      own,
      this.#present(({ vmId }) => isHeld.has(vmId)),
    );
  }

  #present(isMeant: (process: QemuProcess) => boolean): PresentVm[] {
    return this.#processes.present.filter(isMeant).map(({ vmId }) => ({
      vmId,
      runs: this.#processes.stateOf(vmId) === "running",
    }));
  }

  async #act(own: readonly OwnLease[], present: readonly PresentVm[]): Promise<void> {
    const held = own.map(({ vm, mode }) => ({ vmId: vm.id, mode }));
    for (const action of reconcileLeases(held, present, this.#claims.claimed)) {
      const vm =
        own.find((lease) => lease.vm.id === action.vmId)?.vm ?? this.#processes.of(action.vmId)?.spec.vm;
      if (vm === undefined) continue;
      using claim = this.#claims.tryShort(vm.id, "its lease is reconciled");
      if (claim !== null) await this.#perform(action, vm);
    }
  }

  async #perform({ do: action }: LeaseAction, vm: VmRef): Promise<void> {
    // What runs here may have changed since the leases were read.
    const hasProcess = this.#processes.of(vm.id) !== undefined;
    switch (action) {
      case "release":
        if (!hasProcess) await this.#leases.release(vm);
        return;
      case "convertToExclusive":
        await this.#leases.convert(vm, "EX");
        return;
      case "acquireExclusive": {
        if (!hasProcess) return;
        const answer = await this.#leases.acquire(vm, "EX");
        if (answer.kind === "granted" || !answer.held) return;
        this.#log.error(
          { vm: vm.name, err: answer.error },
          "this VM runs here, but another host holds its lease",
        );
      }
    }
  }

  /** A host lets a VM run only while it holds its lease, whatever is under way with it: a move learns of the end. */
  async #endUnleased(process: QemuProcess, reason: string): Promise<void> {
    const own = (await this.#leases.ownOnDisk()).find(({ vm }) => vm.id === process.vmId);
    // A note that cannot be read is no reason to end a VM.
    if (own?.isBroken !== true && (await this.#leases.isHeldOnDisk(process.spec.vm))) return;
    if (this.#processes.of(process.vmId) !== process) return;
    this.#log.error({ vm: process.spec.vm.name }, `VM ended: ${reason}`);
    await process.kill();
  }

  /** A row of a VM that is on shared storage is of a time before its lease was there. */
  #isInRow(vmId: VmRef["id"]): boolean {
    const process = this.#processes.of(vmId);
    return process === undefined || this.#leases.placeOf(process.spec.vm) === "row";
  }
}
