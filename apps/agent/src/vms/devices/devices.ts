/**
 * Disks and NICs of VMs, changed one at a time: of a VM that runs here by its QEMU, of one that does not run anywhere in its folder,
 * under its exclusive lease. Nothing else is done to the VM meanwhile.
 */
import { GodwitError, type DeviceOrder, type SizedDisk, type Vm, type VmId } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import { mustNotBeSuspended, readVm } from "@godwit/storage";
import { exclusively } from "../configure-vm.ts";
import { SharedWork } from "../shared-work.ts";
import { completeRevert } from "../snapshots.ts";
import { addDisk, removeDisk, resizeDisk } from "./disk-changes.ts";
import { listDisks } from "./list-disks.ts";
import { addNic, removeNic, setNic } from "./nic-changes.ts";
import type { DevicesParts, HeldVm } from "./parts.ts";
import { settleDisks } from "./settle-disks.ts";
import { settleRunning } from "./settle.ts";

const retryMs = 10_000;

export class Devices {
  readonly #parts: DevicesParts;
  readonly #underWay = new SharedWork<Vm>();
  /** Of disks that are being added. */
  readonly #adding = new Map<string, AbortController>();

  constructor(parts: DevicesParts) {
    this.#parts = parts;
  }

  /**
   * Asked again for the same while it goes on, or after it, it answers the same.
   * @throws VM_UNKNOWN, VM_BUSY, VM_HELD_ELSEWHERE, LEASE_HELD, LEASE_UNAVAILABLE, what is wrong with a datastore, and what the change itself throws
   */
  async change(id: VmId, order: DeviceOrder): Promise<Vm> {
    const key = keyOf(id, order);
    return await this.#underWay.do(key, async () => {
      const ended = new AbortController();
      this.#adding.set(key, ended);
      try {
        return await this.#held(id, order, (held) => this.#change(held, order, ended.signal));
      } finally {
        this.#adding.delete(key);
      }
    });
  }

  /**
   * Ends the copy of a new disk's image, and waits until nothing is left of it, also of one that an earlier agent began. What is past
   * the copy goes on to its end.
   * @returns the VM as it then is @throws what `change` throws
   */
  async cancel(id: VmId, order: DeviceOrder): Promise<Vm> {
    const key = keyOf(id, order);
    const { change, name } = order;
    const adding = this.#adding.get(key);
    if (adding !== undefined) {
      const disk = change.what === "addDisk" ? change.disk.name : "";
      adding.abort(GodwitError.of("DISK_ADD_CANCELLED", { vm: name, disk }));
      // Its caller gets how it ended.
      await this.change(id, order).catch(() => undefined);
    }
    return await this.#held(id, order, async (held) => {
      await settleDisks(this.#parts, held);
      return held.vm;
    });
  }

  /** With a VM that nobody else works on, and that no other host runs. */
  async #held(id: VmId, { datastore, name }: DeviceOrder, act: (held: HeldVm) => Promise<Vm>): Promise<Vm> {
    const { claims, config, environment, leases, processes } = this.#parts;
    const home = await environment.datastore(datastore);
    const before = await readVm(home, name);
    if (before.id !== id) throw GodwitError.of("VM_UNKNOWN", { vm: name });
    using _claim = await claims.claim(before, "a device of it is being changed");
    const process = processes.of(id) ?? null;
    await using _lease = process === null ? await exclusively(leases, before, config.name) : null;
    const vm = await this.#now(home, name, process);
    mustNotBeSuspended(vm);
    return await act({ vm, home, process });
  }

  async #change(held: HeldVm, { change, places }: DeviceOrder, signal: AbortSignal): Promise<Vm> {
    switch (change.what) {
      case "addDisk":
        return await addDisk(this.#parts, held, change.disk, { places, signal });
      case "removeDisk":
        return await removeDisk(this.#parts, held, change);
      case "resizeDisk":
        return await resizeDisk(this.#parts, held, change);
      case "addNic":
        return await addNic(this.#parts, held, change, places);
      case "removeNic":
        return await removeNic(this.#parts, held, change);
      case "setNic":
        return await setNic(this.#parts, held, change);
    }
  }

  async #now(home: HeldVm["home"], name: string, process: QemuProcess | null): Promise<Vm> {
    if (process !== null) return await settleRunning(this.#parts, process, home);
    const vm = await readVm(home, name);
    if (vm.revertingTo === undefined) return vm;
    await this.#parts.environment.checkOwnFiles(vm);
    return await completeRevert(await this.#parts.environment.datastoresOf(vm), vm);
  }

  /** @throws what `listDisks` throws */
  async disks(datastore: string, name: string): Promise<SizedDisk[]> {
    return await listDisks(this.#parts, datastore, name);
  }

  /** After a change that was cut off, or when a guest has let a device go. When somebody works on the VM, it is after that. */
  restore(process: QemuProcess): void {
    const { claims, log } = this.#parts;
    claims.whenFree(process.vmId, "what QEMU has of its devices", () => {
      this.#restore(process).catch((error: unknown) => {
        log.warn({ err: error, vm: process.spec.vm.name }, "the VM's devices were not looked at");
        this.#restoreLater(process);
      });
    });
  }

  /** Until it has been done, or its QEMU is gone. */
  #restoreLater(process: QemuProcess): void {
    setTimeout(() => {
      if (this.#parts.processes.of(process.vmId) === process) this.restore(process);
    }, retryMs).unref();
  }

  async #restore(process: QemuProcess): Promise<void> {
    const { claims, environment, processes } = this.#parts;
    using claim = claims.tryShort(process.vmId, "its devices are looked at");
    if (claim === null) {
      this.restore(process);
      return;
    }
    if (processes.of(process.vmId) !== process) return;
    const { vm } = process.spec;
    const home = await environment.datastore(vm.datastore);
    const now = await settleRunning(this.#parts, process, home);
    await settleDisks(this.#parts, { vm: now, home, process });
  }
}

/** Asked for again, it is the same. */
const keyOf = (id: VmId, { change }: DeviceOrder): string => `${id} ${JSON.stringify(change)}`;
